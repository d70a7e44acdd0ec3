"""Stages of `lapa solve` in → which tasks each solver brought about without the expert, as a table for the page."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lapa.report_gather import Stage
from lapa.report_numbers import percent

RECORD = "Attempt"


class Cell(NamedTuple):
    """A solver's episodes of a task. text: solved of played, "–" for none played; title: more of it; share: in [0, 1]."""

    text: str
    title: str
    share: float


class Shelf(NamedTuple):
    """What came of one stage. rows: a task and a cell for each solver; totals: tasks that each solved at least once."""

    stage: str
    robot: str
    solvers: list[str]
    rows: list[tuple[str, list[Cell]]]
    totals: list[int]


def shelves(stages: Sequence[Stage]) -> list[Shelf]:
    """A table for every finished `lapa solve`, in the order of the stages."""
    return [_shelf(stage) for stage in stages if stage.fact.get("record") == RECORD and "solved" in stage.fact]


def _shelf(stage: Stage) -> Shelf:
    found: Mapping[str, Mapping[str, Any]] = stage.fact["solved"]
    solvers = list(dict.fromkeys(name for by_solver in found.values() for name in by_solver))
    rows = [(task, [_cell(by_solver.get(name)) for name in solvers]) for task, by_solver in found.items()]
    totals = [sum(cells[number].share > 0 for _, cells in rows) for number in range(len(solvers))]
    return Shelf(stage.name, str(stage.fact["embodiment"]), solvers, rows, totals)


def _cell(one: Mapping[str, Any] | None) -> Cell:
    if one is None:
        return Cell("–", "not tried", 0.0)
    low, high = one["wilson_95"]
    steps = f", {one['mean_steps']:.0f} steps" if one["mean_steps"] is not None else ""
    title = f"95 % {percent(low)}–{percent(high)}{steps}, {one['simulated_steps']:,} steps simulated to find out"
    return Cell(f"{one['solved']} of {one['episodes']}", title, one["solved"] / one["episodes"])
