"""A few seconds of one video at one size and frame rate: the record that every source makes and `build` writes."""

import hashlib
import os
import re
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32, UInt8
from torch import Tensor

from lapa.video import encode_mp4

SLUG_LENGTH = 48  # file systems allow 255 bytes a name; a key gets a hash, a number and array names on top


class Clip(NamedTuple):
    """Frames of one video without a cut between them; made by a source, read by `build`."""

    key: str  # unique, without dot, slash or space
    frames: UInt8[Tensor, "t 3 h w"]
    fps: float  # [Hz]
    text: str  # what is done, in words; "" when nobody said
    source: str  # which video it is from: clips of one video share it, so that a split by episode is possible
    embodiment: str  # whose body is seen; "" when nobody said
    start_s: float  # where in the video the first frame lies [s]
    arrays: dict[str, Float32[np.ndarray, "t m"]]  # what was measured beside the frames, for probes ("state", "motion")


class Fault(NamedTuple):
    """A part of a source's item that cannot be used while the rest can; yielded among its clips, ends in quarantine.jsonl."""

    item: str  # which part
    reason: str  # completes "this part …"


def clip_key(path: str, number: int) -> str:
    """The key of clip `number` of the video at `path`: readable, unique, the same on every machine.

    Dots, slashes and spaces may not be in a key, so they become "_"; the hash keeps `a.b` and `a_b` apart. What stands
    before the "@" is the same for all clips of a video.
    """
    slug = re.sub(r"[^A-Za-z0-9\-]+", "_", str(PurePosixPath(path).with_suffix(""))).strip("_")[-SLUG_LENGTH:]
    return f"{slug}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}@{number:03d}"


def to_sample(clip: Clip) -> dict[str, Any]:
    """A clip as a sample for `lapa.shards.write_shard`: H.264 frames, facts as JSON, arrays as npy."""
    facts = {
        "text": clip.text,
        "fps": clip.fps,
        "source": clip.source,
        "embodiment": clip.embodiment,
        "start_s": round(clip.start_s, 4),
        "frames": len(clip.frames),
    }
    arrays = {f"{name}.npy": array for name, array in sorted(clip.arrays.items())}
    return {"__key__": clip.key, "mp4": encode_mp4(clip.frames, fps=clip.fps), "json": facts, **arrays}
