"""What became of each video: counts and reasons, merged from shards; for the manifest, two lists and the table."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from lapa.files import write_jsonl

MOST_SHARDS = 1_000_000  # their numbers have six digits, and files in order of their names must be in that of numbers
REASONS_SHOWN = 20  # lines printed of the quarantine; the rest is in the file


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

    def reasons(self) -> dict[str, int]:
        """How many clips were dropped, by reason."""
        return dict(sorted(Counter(row["reason"] for row in self.dropped).items()))


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


def write_lists(folder: Path, outcome: Outcome) -> None:
    """`dropped.jsonl` and `quarantine.jsonl`, also when empty: their absence would say nothing."""
    for name, rows in (("dropped", outcome.dropped), ("quarantine", outcome.quarantined)):
        write_jsonl(folder / f"{name}.jsonl", rows)


def count_rows(outcome: Outcome) -> list[tuple[str, str]]:
    """(what, how many) of everything that was counted, for the table and the page."""
    rows = [("videos", outcome.videos), ("clips kept", f"{outcome.clips} ({outcome.frames} frames)")]
    rows += [(f"clips dropped: {reason}", count) for reason, count in outcome.reasons().items()]
    rows += [("videos quarantined", len(outcome.quarantined)), ("cuts between scenes", outcome.cuts)]
    rows.append(("texts cleaned", outcome.cleaned_texts))
    return [(what, str(count)) for what, count in rows]


def print_outcome(outcome: Outcome, *, rates: dict[str, float]) -> None:
    """One line a video that could not be used, then the table of counts and rates."""
    console = Console()
    print_quarantine(console, outcome.quarantined)
    table = Table("what", "count", title="build")
    table.columns[1].justify = "right"
    for row in count_rows(outcome):
        table.add_row(*row)
    for name, rate in rates.items():
        table.add_row(name, f"{rate:.0f}" if rate >= 10 else f"{rate:.2f}")
    console.print(table)


def print_quarantine(console: Console, rows: Sequence[dict[str, str]]) -> None:
    """A line for each of the first; the rest is counted."""
    for row in rows[:REASONS_SHOWN]:
        line = f"quarantined: {row['item']} {row['reason']}".encode(errors="replace").decode()  # odd bytes in a name
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(rows) > REASONS_SHOWN:
        console.print(f"… and {len(rows) - REASONS_SHOWN} more in quarantine.jsonl")
