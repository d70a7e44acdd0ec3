"""A folder of shards with a print of every clip in; out go clips that show what an earlier one shows, by a second pass.

Nothing here depends on who built which shard when. A shard's new outcome is written before its tar: where that outcome is,
a killed pass goes on; and a tar that has been thinned is not touched again.
"""

import json
import zlib
from collections.abc import Iterator, Sequence
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lapa.executor import Executor, run_all
from lapa.files import write_json
from lapa.shards import ShardIndex, read_shard, write_shard
from video_data.outcome import Outcome, read_outcome, resume_path, shard_path
from video_data.page import EXAMPLES, TWINS, strip_of
from video_data.twins import find_twins, read_prints


class Twin(NamedTuple):
    """A clip that goes, and the one that stays in its place."""

    shard: int
    clip: str
    like_shard: int
    like: str


class Thinning(NamedTuple):
    """What one shard loses."""

    shard: int
    likes: dict[str, str]  # key that goes → key that stays


def drop_twins(out: Path, shards: Sequence[int], *, max_bits: int, executor: Executor) -> None:
    """Take near-duplicates out of the shards of `out`; see `video_data.twins.find_twins`."""
    twins = list(find_in(out, shards, max_bits))
    if twins and not resume_path(out, TWINS, "tar").is_file():  # while all of them are there
        keep_examples(out, twins)
    work = [
        Thinning(shard, {twin.clip: twin.like for twin in group})
        for shard, group in groupby(twins, key=lambda twin: twin.shard)
    ]
    for _ in run_all(partial(thin, out=out), work, executor=executor, label="near-duplicates"):
        pass


def find_in(out: Path, shards: Sequence[int], max_bits: int) -> Iterator[Twin]:
    """All twins, in the order of shards."""
    parts = [read_prints(bytes.fromhex("".join(_prints(out, shard).values()))) for shard in shards]
    starts = np.cumsum([0, *map(len, parts)])
    stays = find_twins(np.concatenate(parts), max_bits)
    keys = cache(lambda place: list(_prints(out, shards[place])))
    for number in np.flatnonzero(stays != np.arange(len(stays))):
        place, like = (int(np.searchsorted(starts, which, side="right")) - 1 for which in (number, stays[number]))
        names = keys(place)[number - starts[place]], keys(like)[stays[number] - starts[like]]
        yield Twin(shards[place], names[0], shards[like], names[1])


def _prints(out: Path, shard: int) -> dict[str, str]:
    return json.loads(resume_path(out, f"prints-{shard:06d}").read_text())


def keep_examples(out: Path, twins: Sequence[Twin]) -> None:
    """Pictures of some pairs, for the page."""
    chosen = sorted(twins, key=lambda twin: zlib.crc32(twin.clip.encode()))[:EXAMPLES]
    write_shard(resume_path(out, TWINS, "tar"), (_example(out, twin) for twin in chosen))


def _example(out: Path, twin: Twin) -> dict[str, Any]:
    pictures = [_clip(out, *where) for where in ((twin.shard, twin.clip), (twin.like_shard, twin.like))]
    row = {"clip": twin.clip, "reason": "near-duplicate", "measured": None, "like": twin.like}
    return {"__key__": twin.clip, "jpg": strip_of(pictures[0]), "like.jpg": strip_of(pictures[1]), "json": row}


def _clip(out: Path, shard: int, key: str) -> bytes:
    index = ShardIndex([shard_path(out, shard)])
    return index[index.keys.index(key)]["mp4"]


def thin(work: Thinning, *, out: Path) -> None:
    """Write what becomes of a shard, then the shard; none is left of a shard that loses all."""
    path, tar = resume_path(out, f"thin-{work.shard:06d}"), shard_path(out, work.shard)
    samples = list(read_shard(tar)) if tar.is_file() else []
    if not path.is_file():
        write_json(path, _outcome(work, samples, read_outcome(out, work.shard))._asdict())
    left = [sample for sample in samples if sample["__key__"] not in work.likes]
    if left and len(left) < len(samples):
        write_shard(tar, left)
    elif not left:
        tar.unlink(missing_ok=True)


def _outcome(work: Thinning, samples: list[dict[str, Any]], before: Outcome) -> Outcome:
    gone = [sample for sample in samples if sample["__key__"] in work.likes]
    bodies = dict(before.embodiments)
    for sample in gone:
        bodies[sample["json"]["embodiment"]] -= 1
    rows = [
        {"clip": clip, "reason": "near-duplicate", "measured": None, "like": like} for clip, like in work.likes.items()
    ]
    return before._replace(
        clips=before.clips - len(gone),
        frames=before.frames - sum(sample["json"]["frames"] for sample in gone),
        dropped=before.dropped + rows,
        embodiments={name: count for name, count in bodies.items() if count},
    )
