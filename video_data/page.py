"""A built folder in; page.html out: what was kept, what was dropped and why, with pictures of each. Needs no other file."""

import base64
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from einops import rearrange
from jaxtyping import UInt8
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from torch import Tensor

from lapa.files import atomic_path
from lapa.shards import ShardIndex, read_shard, shard_paths
from lapa.video import decode_mp4
from video_data.outcome import resume_path
from video_data.tally import Told, count_rows

EXAMPLES = 12  # of each reason on the page
PER_SHARD = 4  # of each reason that a shard keeps for it
FRAMES, FRAME_PX, QUALITY = 6, 96, 85  # of a strip
TWINS = "twins"


class Example(NamedTuple):
    """A clip on the page: pictures as data: addresses; the second, of near-duplicates, is that of the clip that stays."""

    clip: str
    note: str
    pictures: list[str]


class Group(NamedTuple):
    """Clips of one fate."""

    title: str
    number: int
    examples: list[Example]


def strip(frames: UInt8[Tensor, "t 3 h w"]) -> bytes:
    """A JPEG of six frames from first to last beside each other."""
    chosen = frames[np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)]
    wide = rearrange(chosen, "t c h w -> h (t w) c").numpy()
    scale = min(1, FRAME_PX / len(wide))
    small = cv2.resize(wide, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert done
    return data.tobytes()


def strip_of(mp4: bytes) -> bytes:
    """The strip of an encoded clip."""
    return strip(decode_mp4(mp4))


def write_page(out: Path, told: Told) -> None:
    """`page.html` of a folder whose shards are whole, and of which this is told."""
    tally = told.tally
    dropped = [
        Group(f"Dropped: {reason}", count, list(_of(reason, out, told.shards[reason])))
        for reason, count in sorted(tally.dropped.items())
    ]
    shown = {"groups": [Group("Kept", tally.counts["clips"], list(_kept(out))), *dropped], "counts": count_rows(tally)}
    shown |= {"quarantined": told.quarantined, "more": tally.counts["quarantined"] - len(told.quarantined)}
    loader = ChoiceLoader([PackageLoader("video_data"), PackageLoader("lapa")])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    text = environment.get_template("build.html.j2").render(shown)
    with atomic_path(out / "page.html") as partial:
        partial.write_text(text, encoding="utf-8", errors="replace")  # odd bytes in a file's name


def _kept(out: Path) -> Iterator[Example]:
    """Evenly spread over the shards."""
    paths = shard_paths(out) if list(out.glob("*.tar")) else []
    chosen = [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, min(EXAMPLES, len(paths))).astype(int))]
    for path in chosen:
        index = ShardIndex([path])
        for i in np.unique(np.linspace(0, len(index) - 1, -(-EXAMPLES // len(chosen))).astype(int)):
            sample = index[i]
            yield Example(sample["__key__"], sample["json"]["text"], [_uri(strip_of(sample["mp4"]))])


def _of(reason: str, out: Path, shards: Sequence[int]) -> Iterator[Example]:
    """The first examples of a reason in those shards, mixed."""
    names = [f"examples-{number:06d}" for number in shards]
    mixed = [TWINS, *sorted(names, key=lambda name: zlib.crc32(name.encode()))]
    paths = [path for name in mixed if (path := resume_path(out, name, "tar")).is_file()]
    left = EXAMPLES
    for path in paths:
        fitting = [sample for sample in read_shard(path) if sample["json"]["reason"] == reason][:left]
        yield from map(_example, fitting)
        left -= len(fitting)
        if left == 0:
            return


def _example(sample: dict[str, Any]) -> Example:
    row = sample["json"]
    note = f"above; below {row['like']}, which stays" if "like" in row else f"measured {row['measured']:g}"
    return Example(row["clip"], note, [_uri(sample[name]) for name in ("jpg", "like.jpg") if name in sample])


def _uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
