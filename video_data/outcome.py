"""What became of each video of a shard: counts, and a row with its reason for everything that was not kept."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

MOST_SHARDS = 1_000_000  # their numbers have six digits, and files in order of their names must be in that of numbers


class Outcome(NamedTuple):
    """Sums over videos, and a row for everything that was not kept."""

    videos: int
    clips: int
    frames: int
    cuts: int  # at which a clip became two
    cleaned_texts: int  # of clips whose words were not as they were typed
    dropped: list[dict[str, Any]]  # {"clip", "reason", "measured"}: whole, but of no use; twins with "like": who stays
    quarantined: list[dict[str, str]]  # {"item", "reason"}: nothing of the video could be used
    embodiments: dict[str, int]  # clips of each body


def shard_path(out: Path, number: int) -> Path:
    """Where the clips of a shard lie."""
    return out / f"clips-{number:06d}.tar"


def resume_path(out: Path, name: str, ending: str = "json") -> Path:
    """Where a build keeps what it needs to go on, and to tell at its end; no result."""
    return out / "resume" / f"{name}.{ending}"


def read_outcome(out: Path, number: int) -> Outcome:
    """What became of a shard's videos: after it lost its near-duplicates, where it had any."""
    thinned = resume_path(out, f"thin-{number:06d}")
    path = thinned if thinned.is_file() else resume_path(out, f"clips-{number:06d}")
    return Outcome(**json.loads(path.read_text()))


def merge(outcomes: Iterable[Outcome]) -> Outcome:
    """The sum of outcomes, rows in their order."""
    rows = list(outcomes)
    return Outcome(
        videos=sum(row.videos for row in rows),
        clips=sum(row.clips for row in rows),
        frames=sum(row.frames for row in rows),
        cuts=sum(row.cuts for row in rows),
        cleaned_texts=sum(row.cleaned_texts for row in rows),
        dropped=[line for row in rows for line in row.dropped],
        quarantined=[line for row in rows for line in row.quarantined],
        embodiments=dict(sorted(sum((Counter(row.embodiments) for row in rows), Counter()).items())),
    )
