"""Clip shards in, evenly spread frame pairs with what truly happened between them out: what a report card is measured on."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from lapa.shards import ShardIndex, shard_paths
from lapa.stream import shows_label, video_of
from lapa.video import decode_mp4

TRUTHS = {"motion.npy": "motion of the tool", "state.npy": "change of the state"}  # in order of preference
FLOW = "optical flow"  # the truth's name when the clips know none
CHAINS = 256  # pairs of which the frame one more gap later is kept


class Pairs(NamedTuple):
    """Frame pairs of many clips with what truly happened between them."""

    before: UInt8[Tensor, "b 3 h w"]
    after: UInt8[Tensor, "b 3 h w"]
    start: Float[Tensor, "b m"]  # true position or state before; m = 0 when the clips know none
    change: Float[Tensor, "b m"]  # by how much it changed, in its own units
    clip: Int64[Tensor, "b"]  # the same for all clips of one video: a probe is scored on videos it has not seen
    body: Int64[Tensor, "b"]  # number in `bodies`
    chain: Int64[Tensor, "c"]  # some pairs' numbers …
    later: UInt8[Tensor, "c 3 h w"]  # … and the frame as long after their `after` as that is after their `before`
    bodies: tuple[str, ...]  # embodiments, sorted
    truth: str  # what `change` is, in words; FLOW when the clips know no truth


def gather(folder: Path, *, gap: int, max_clips: int, pairs_per_clip: int, label_percent: float = 0) -> Pairs:
    """Evenly spread pairs of evenly spread clips. ValueError when no clip is longer than the gap.

    label_percent: of these clips the quantizer's training saw that many with their true states; they are left out.
    """
    index = ShardIndex(shard_paths(folder))
    unseen = [i for i, key in enumerate(index.keys) if not shows_label(key, label_percent)]
    chosen = np.unique(np.linspace(0, len(unseen) - 1, min(max_clips, len(unseen))).round().astype(int))
    samples = [index[unseen[i]] for i in chosen]
    name = _common_truth(samples)
    bodies = tuple(sorted({_body(sample) for sample in samples}))
    parts = [_clip_pairs(sample, name, bodies, gap, pairs_per_clip) for sample in samples]
    kept = [part for part in parts if part is not None]
    if not kept:
        raise ValueError(f"no clip in {folder} is longer than the gap of {gap} frames")
    before, after, start, change, clip, body, followed, later = (
        torch.cat(column) for column in zip(*kept, strict=True)
    )
    numbers = followed.nonzero().flatten()
    some = torch.linspace(0, len(numbers) - 1, min(CHAINS, len(numbers))).round().long()
    truth = TRUTHS.get(name, FLOW)
    return Pairs(before, after, start, change, clip, body, numbers[some], later[some], bodies, truth)


def in_batches(function: Callable[..., Tensor], batch: int, *columns: Tensor) -> Tensor:
    """`function` of all rows, `batch` of them at a time."""
    return torch.cat([function(*parts) for parts in zip(*(column.split(batch) for column in columns), strict=True)])


def episode_number(key: str) -> int:
    """One number for all clips that were cut from one video: their keys agree up to the @."""
    return zlib.crc32(video_of(key).encode())


def _common_truth(samples: list[dict[str, Any]]) -> str:
    """The truth that all clips know with as many numbers; "" when there is none."""
    for name in TRUTHS:
        if len({sample[name].shape[1] if name in sample else 0 for sample in samples}) == 1 and name in samples[0]:
            return name
    return ""


def _body(sample: dict[str, Any]) -> str:
    return str(sample.get("json", {}).get("embodiment", ""))


def _clip_pairs(
    sample: dict[str, Any], name: str, bodies: tuple[str, ...], gap: int, count: int
) -> tuple[Tensor, ...] | None:
    """Columns of `Pairs`, then which of them have a later frame, and those frames."""
    frames = decode_mp4(sample["mp4"])
    if len(frames) <= gap:
        return None
    starts = torch.from_numpy(np.unique(np.linspace(0, len(frames) - gap - 1, count).round().astype(int)))
    path = torch.from_numpy(np.asarray(sample[name], np.float32)) if name else torch.zeros(len(frames), 0)
    followed = starts + 2 * gap < len(frames)
    return (
        frames[starts],
        frames[starts + gap],
        path[starts],
        path[starts + gap] - path[starts],
        torch.full_like(starts, episode_number(sample["__key__"])),
        torch.full_like(starts, bodies.index(_body(sample))),
        followed,
        frames[starts[followed] + 2 * gap],
    )
