"""What several trainings say in → the same for the terminal, for Markdown, and as rows for JSON."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from lapa.report_numbers import bare_p, bounds, closed, finite, p_text, percent, pipe_table, points, signed
from lapa.report_seeds import SeedRow, SeedTable
from lapa.stats_seeds import Difference

HEADS = ("setting", "arm", "each, %", "mean", "difference", "p (Holm)", "gap closed, %")
NOTE = (
    "several trainings: [95 %, Student] of their mean, difference to the control in points and p by Welch's test over "
    "trainings; share of the gap by bootstrap of trainings and starts"
)


def seeds_markdown(tables: Sequence[SeedTable]) -> list[str]:
    """Lines of a table and of the rivals; none without tables."""
    if not tables:
        return []
    shown = pipe_table(HEADS, [cells for table in tables for cells in _lines(table)])
    told = [f"- {table.title}: {text}" for table in tables if (text := rivals_of_seeds(table))]
    return ["", *shown, f"\n{NOTE}.", "", *told]


def seeds_terminal(tables: Sequence[SeedTable]) -> Table:
    """The same in the terminal."""
    shown = Table(title=Text(NOTE, style="italic"), box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for name in HEADS[1:]:
        shown.add_column(name, justify="left" if name == "arm" else "right", overflow="fold")
    for table in tables:
        shown.add_row(Text(table.title, style="bold"))
        for row in table.rows:
            shown.add_row(*map(Text, _cells(row)), end_section=row is table.rows[-1])
    return shown


def rivals_of_seeds(table: SeedTable) -> str:
    """ "lapa minus vpt +4 [−2, 10], p = 0.12; …"; empty where no rival was trained several times."""
    each = "; ".join(f"minus {name} {told(found)}{_p(p_holm)}" for name, found, p_holm in table.rivals)
    return each and f"{table.arm} {each}"


def told(found: Difference) -> str:
    """ "+31 [24, 38]" in points; without an interval where there is no spread to judge by."""
    return f"{points(found.difference)} {bounds(found.interval)}".rstrip()


def seed_rows(tables: Sequence[SeedTable]) -> list[dict[str, Any]]:
    """One flat row an arm and setting; rates in [0, 1], null where there is none."""
    return [_flat(table, row) for table in tables for row in table.rows]


def _lines(table: SeedTable) -> list[list[str]]:
    """Cells in the order of HEADS, a line an arm."""
    return [[table.title if not number else "", *_cells(row)] for number, row in enumerate(table.rows)]


def _cells(row: SeedRow) -> list[str]:
    return [
        row.arm + ("*" if row.borrowed else ""),
        ", ".join(signed(rate) for rate in row.rates),
        f"{percent(row.mean)} {bounds(row.interval)}".rstrip(),
        told(row.against) if row.against else "",
        "" if row.p_holm is None else bare_p(row.p_holm),
        closed(row.share),
    ]


def _p(p_holm: float | None) -> str:
    return "" if p_holm is None else f", {p_text(p_holm)}"


def _flat(table: SeedTable, row: SeedRow) -> dict[str, Any]:
    found = {"setting": table.name, "arm": row.arm, "borrowed": row.borrowed, "rates": row.rates, "mean": row.mean}
    found |= {"mean_95": finite(row.interval), "episodes_each": row.episodes, "p_holm": row.p_holm}
    found |= {"difference": row.against.difference if row.against else None}
    found |= {"difference_95": finite(row.against.interval if row.against else None)}
    found |= {"gap_closed": row.share.share if row.share else None}
    return found | {"gap_closed_95": finite(row.share.interval if row.share else None)}
