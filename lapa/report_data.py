"""Stages that made data in → what was kept and dropped: clips by reason, demonstrations, tasks rung by rung."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lapa.report_gather import Stage, data_uri

LAST = "accepted"  # of a funnel
SHEET = "contact_sheet"  # the picture that `lapa propose` leaves beside its funnel
# Whole numbers of a manifest that two doors agree on; every other one counts something.
NOT_COUNTS = ("count", "num_codes", "codes_per_step", "image_px", "fps", "gap_s", "version", "seed", "config")


class Count(NamedTuple):
    """One number of a data stage, as in ("dropped: no motion", 12)."""

    label: str
    count: int  # type: ignore[assignment]  # hides tuple.count


class Counts(NamedTuple):
    """What a data stage counted beside its `count` records."""

    stage: str
    record: str
    count: int  # type: ignore[assignment]
    rows: list[Count]


class Rung(NamedTuple):
    """One check of the validation ladder; `share` of the first rung's entries that passed it, in [0, 1]."""

    label: str
    entered: int
    passed: int
    share: float


class Funnel(NamedTuple):
    """The ladder of one proposing stage; `sheet`: a picture of what it accepted, as a data: address, or ""."""

    stage: str
    rungs: list[Rung]
    sheet: str


def data_counts(stages: Sequence[Stage]) -> list[Counts]:
    """Each finished data stage whose manifest counts something: kept, dropped by reason, failed."""
    return [
        Counts(stage.name, str(stage.fact["record"]), int(stage.fact["count"]), rows)
        for stage in stages
        if stage.finished and not _measured(stage) and (rows := list(_counts(stage.fact)))
    ]


def funnels(stages: Sequence[Stage]) -> list[Funnel]:
    """The funnel of each proposing stage. Raises ValueError when a rung lacks a count."""
    return [Funnel(stage.name, _rungs(stage), _sheet(stage)) for stage in stages if stage.funnel]


def _sheet(stage: Stage) -> str:
    return data_uri(stage.images[SHEET]) if SHEET in stage.images else ""


def _measured(stage: Stage) -> bool:
    """Trainings, codes, rollouts and the ladder have parts of the page of their own."""
    return "parameters" in stage.fact or bool(stage.quality or stage.episodes or stage.funnel)


def _counts(fact: Mapping[str, Any]) -> Iterator[Count]:
    """Whole numbers of a manifest, and those one level down as "dropped: no motion"."""
    for name, value in fact.items():
        if name in NOT_COUNTS:
            continue
        if isinstance(value, Mapping):
            yield from (Count(f"{_words(name)}: {_words(key)}", n) for key, n in value.items() if _whole(n))
        elif _whole(value):
            yield Count(_words(name), value)


def _rungs(stage: Stage) -> list[Rung]:
    """{rung: proposals that reached it, …, "accepted": proposals left} → entered and passed of each rung."""
    reached = stage.funnel
    if not isinstance(reached, Mapping) or not all(_whole(n) for n in reached.values()):
        raise ValueError(f"{stage.folder / 'funnel.json'}: wants {{rung: proposals that reached it}}; got {reached!r}")
    ordered = sorted(reached.items(), key=lambda rung: (rung[0] == LAST, _number(rung[0])))  # JSON has R10 before R2
    pairs = zip(ordered, [count for _, count in ordered[1:]], strict=False)
    total = max(1, *reached.values())
    return [Rung(_words(name), entered, passed, passed / total) for (name, entered), passed in pairs]


def _number(rung: str) -> int:
    """12 of "R12_learnable"; those without a number stay as they are, in front."""
    found = re.match(r"R(\d+)_", rung)
    return int(found[1]) if found else -1


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _words(name: str) -> str:
    return str(name).replace("_", " ")
