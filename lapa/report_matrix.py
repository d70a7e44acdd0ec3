"""Cells of body × body in → a heat map: a row a body that was watched, a column a body that acts."""

from collections.abc import Mapping
from typing import NamedTuple

from lapa.report_numbers import bounds, percent, points, signed
from lapa.report_transfer import SettingTable


class Cell(NamedTuple):
    """One square: `heat` in [0, 1] is its share of the gap, or where none is shown the difference to the control."""

    heat: float
    text: str
    under: str  # what `text` stands on
    title: str


class Matrix(NamedTuple):
    """`rows`: (watched body, a cell for each of `targets`, None where nothing was measured)."""

    targets: list[str]
    rows: list[tuple[str, list[Cell | None]]]


def matrix(cells: Mapping[tuple[str, str], SettingTable], *, arm: str, control: str) -> Matrix | None:
    """None with fewer than two cells in which the arm was measured."""
    drawn = {pair: cell for pair, table in cells.items() if (cell := _cell(table, arm, control))}
    if len(drawn) < 2:
        return None
    sources, targets = ([*dict.fromkeys(sorted(pair[end] for pair in drawn))] for end in (0, 1))
    return Matrix(targets, [(source, [drawn.get((source, target)) for target in targets]) for source in sources])


def _cell(table: SettingTable, arm: str, control: str) -> Cell | None:
    result = table.result(arm)
    if result is None:
        return None
    comparison, share = result.comparison, result.share
    under = f"{percent(result.row.rate)}" + (f" vs {percent(comparison.table.rates[1])}" if comparison else "")
    title = f"{table.name}: {arm} {result.row.successes} of {result.row.episodes}"
    if share and share.shown is not None:
        heat = min(max(share.shown, 0.0), 1.0)
        told = f"{title}; 95 % interval of the share {bounds(share.interval)}"
        return Cell(heat, f"{signed(share.shown)}\u00a0%", under, told)
    difference = comparison.difference if comparison else 0.0
    text = points(difference) if comparison else percent(result.row.rate)
    why = share.reason if share else "no ceiling"
    return Cell(max(difference, 0.0), text, under, f"{title}, {why}; against {control} in points")
