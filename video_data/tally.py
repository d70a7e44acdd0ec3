"""Outcomes of shards in; sums, lists and the table out, one shard at a time: a build may drop more than memory holds."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from lapa.files import jsonl_lines
from video_data.outcome import Outcome, read_outcome

REASONS_SHOWN = 20  # lines printed of the quarantine; the rest is in the file


class Tally(NamedTuple):
    """Sums over videos."""

    counts: Counter[str]  # videos, clips, frames, cuts, cleaned_texts, quarantined
    dropped: Counter[str]  # clips by reason
    embodiments: Counter[str]  # clips of each body


class Told(NamedTuple):
    """What the table and the page say of a folder."""

    tally: Tally
    quarantined: list[dict[str, str]]  # the first of them
    shards: dict[str, list[int]]  # where something was dropped, by reason


def tally(outcome: Outcome) -> Tally:
    """An outcome without its rows."""
    names = ("videos", "clips", "frames", "cuts", "cleaned_texts")
    counts = Counter({name: getattr(outcome, name) for name in names} | {"quarantined": len(outcome.quarantined)})
    return Tally(counts, Counter(row["reason"] for row in outcome.dropped), Counter(outcome.embodiments))


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum."""
    whole = Tally(Counter(), Counter(), Counter())
    for one in tallies:
        for mine, more in zip(whole, one, strict=True):
            mine.update(more)
    return whole


def tell(out: Path, shards: Sequence[int]) -> Told:
    """Write `dropped.jsonl` and `quarantine.jsonl`, also when empty (their absence would say nothing), and count."""
    first: list[dict[str, str]] = []
    places: dict[str, list[int]] = {}

    def one_by_one() -> Iterator[Tally]:
        for shard in shards:
            outcome = read_outcome(out, shard)
            drop(outcome.dropped)
            quarantine(outcome.quarantined)
            first.extend(outcome.quarantined[: REASONS_SHOWN - len(first)])
            counted = tally(outcome)
            for reason in counted.dropped:
                places.setdefault(reason, []).append(shard)
            yield counted

    with jsonl_lines(out / "dropped.jsonl") as drop, jsonl_lines(out / "quarantine.jsonl") as quarantine:
        return Told(total(one_by_one()), first, places)


def count_rows(tally: Tally) -> list[tuple[str, str]]:
    """(what, how many) of everything that was counted, for the table and the page."""
    counts = tally.counts
    rows = [("videos", counts["videos"]), ("clips kept", f"{counts['clips']} ({counts['frames']} frames)")]
    rows += [(f"clips dropped: {reason}", count) for reason, count in sorted(tally.dropped.items())]
    rows += [("videos quarantined", counts["quarantined"]), ("cuts between scenes", counts["cuts"])]
    rows.append(("texts cleaned", counts["cleaned_texts"]))
    return [(what, str(count)) for what, count in rows]


def print_told(told: Told, *, rates: dict[str, float]) -> None:
    """One line a video that could not be used, then the table of counts and rates."""
    console = Console()
    print_quarantine(console, told.quarantined, of=told.tally.counts["quarantined"])
    table = Table("what", "count", title="build")
    table.columns[1].justify = "right"
    for row in count_rows(told.tally):
        table.add_row(*row)
    for name, rate in rates.items():
        table.add_row(name, f"{rate:.0f}" if rate >= 10 else f"{rate:.2f}")
    console.print(table)


def print_quarantine(console: Console, first: Sequence[dict[str, str]], *, of: int) -> None:
    """A line for each of the first; the rest of all that there are is counted."""
    for row in first:
        line = f"quarantined: {row['item']} {row['reason']}".encode(errors="replace").decode()  # odd bytes in a name
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if of > len(first):
        console.print(f"… and {of - len(first)} more in quarantine.jsonl")
