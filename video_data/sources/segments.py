"""A table of segments (CSV, TSV, JSON, JSON lines) in; what it says of each video, and what is wrong with a row, out."""

import csv
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from video_data.clip import Fault
from video_data.sources.files import inside
from video_data.sources.words import json_lines

DELIMITERS = {".csv": ",", ".tsv": "\t"}
LONGEST_S = 86_400  # of a segment [s]; frames or milliseconds taken for seconds would make millions of pieces


class Layout(NamedTuple):
    """Where a table says what; `{name}` stands for a row's column."""

    rows: str | None  # of a .json: where its rows lie
    video: str
    text: str
    strip: str | None  # a pattern
    start: str | None  # None: a row is a whole video
    end: str | None
    before_s: float
    after_s: float


class Segment(NamedTuple):
    """A part of a video; `end_s` is None for all of it."""

    row: int  # of the table, from 1
    start_s: float
    end_s: float | None
    text: str


class Recording(NamedTuple):
    """A video and its segments by their start; `faults` are its rows that cannot be used."""

    path: str  # in the folder
    segments: tuple[Segment, ...]
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        return self.path


def read_rows(path: Path, where: str | None) -> list[dict[str, Any]]:
    """The rows of a table; ValueError when it cannot be read, or has none where they should lie."""
    if not path.is_file():
        raise ValueError(f"no table {path}: give source.table=FILE")
    try:
        if path.suffix.lower() in DELIMITERS:
            with open(path, newline="", encoding="utf-8-sig") as file:
                rows: list[Any] = list(csv.DictReader(file, delimiter=DELIMITERS[path.suffix.lower()]))
        elif path.suffix.lower() == ".jsonl":
            rows = [json.loads(line) for _, line in json_lines(path)]
        else:
            rows = list(_walk(json.loads(path.read_text("utf-8-sig")), (where or "[]").split("/"), {}))
    except (csv.Error, ValueError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{path} has no rows at source.rows={where or '[]'}")
    return rows


def _walk(node: Any, parts: list[str], named: dict[str, str]) -> Iterator[Any]:
    """Rows below `node`; branches that end before the path does (a "status" beside the lists) hold none."""
    if not parts:
        yield {**named, **node} if isinstance(node, dict) else node
    elif parts[0] == "[]":
        for child in node if isinstance(node, list) else []:
            yield from _walk(child, parts[1:], named)
    elif isinstance(node, dict) and parts[0].startswith("{"):
        for key, child in node.items():
            yield from _walk(child, parts[1:], {**named, parts[0].strip("{}"): key})
    elif isinstance(node, dict) and parts[0] in node:
        yield from _walk(node[parts[0]], parts[1:], named)


def recordings(rows: Iterable[dict[str, Any]], layout: Layout, *, max_overlap: float) -> list[Recording]:
    """What the rows say, by video, in order of the paths. Rows that name no video stand under the path "(no video)"."""
    found: dict[str, tuple[list[Segment], list[Fault]]] = {}
    for number, row in enumerate(rows, start=1):
        video = "(no video)"
        try:
            video = inside(_filled(layout.video, row))
            found.setdefault(video, ([], []))[0].append(_segment(number, row, layout))
        except ValueError as fault:
            found.setdefault(video, ([], []))[1].append(Fault(f"{video}, row {number}", str(fault)))
    return [_recording(video, *found[video], max_overlap) for video in sorted(found)]


def _recording(video: str, segments: list[Segment], faults: list[Fault], max_overlap: float) -> Recording:
    kept: list[Segment] = []
    active: list[Segment] = []  # that end after the present one starts
    for segment in sorted(segments, key=lambda one: (one.start_s, one.row)):
        active = [other for other in active if other.end_s is None or other.end_s > segment.start_s]
        share, twin = max(((overlap(segment, other), other.row) for other in active), default=(0.0, 0))
        if share > max_overlap:
            faults.append(Fault(f"{video}, row {segment.row}", f"is {share:.0%} the same time as row {twin}"))
            continue
        kept.append(segment)
        active.append(segment)
    return Recording(video, tuple(kept), tuple(faults))


def overlap(one: Segment, other: Segment) -> float:
    """The time that both show of the time that either shows, in [0, 1]; a part of a long segment is not the same."""
    if one.end_s is None or other.end_s is None:
        return 1.0
    both_s = min(one.end_s, other.end_s) - max(one.start_s, other.start_s)
    return max(0.0, both_s) / (max(one.end_s, other.end_s) - min(one.start_s, other.start_s))


def _segment(number: int, row: dict[str, Any], layout: Layout) -> Segment:
    text = _filled(layout.text, row)
    words = " ".join((re.sub(layout.strip, " ", text) if layout.strip else text).split())
    if layout.start is None or layout.end is None:
        return Segment(number, 0.0, None, words)
    start_s, end_s = seconds(_filled(layout.start, row)), seconds(_filled(layout.end, row))
    start_s, end_s = start_s - layout.before_s, end_s + layout.after_s
    if end_s <= start_s or end_s <= 0:
        raise ValueError(f"lasts from {start_s:g} s to {end_s:g} s: no time, or before the video")
    if end_s - start_s > LONGEST_S:
        raise ValueError(f"lasts from {start_s:g} s to {end_s:g} s: more than a day")
    return Segment(number, max(0.0, start_s), end_s, words)


def seconds(text: str) -> float:
    """`12.5`, `01:02:03.4` or `02:03` in seconds; ValueError for anything else, also for less than 0."""
    parts = text.strip().split(":")
    try:
        numbers = [float(part) for part in reversed(parts)]
    except ValueError as error:
        raise ValueError(f"tells no time but {text!r}") from error
    if len(parts) > 3 or not all(0 <= number < float("inf") for number in numbers):
        raise ValueError(f"tells no time but {text!r}")
    return sum(number * 60**power for power, number in enumerate(numbers))


def _filled(template: str, row: dict[str, Any]) -> str:
    for name in _columns(template):
        if row.get(name) in (None, ""):
            raise ValueError(f"has nothing in column {name!r}; there are {sorted(str(name) for name in row)}")
    return template.format_map(row)


@lru_cache(maxsize=16)
def _columns(template: str) -> list[str]:
    return re.findall(r"\{(\w+)\}", template)
