"""A transfer run's main table in → the same for the terminal, as rows for JSON, and as Markdown for documents."""

from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from lapa.report_numbers import bare_p, bounds, closed, finite, p_text, percent, pipe_table, points
from lapa.report_seed_tables import seeds_markdown
from lapa.report_success import ArmRow, Comparison
from lapa.report_transfer import Result, SettingTable, Transfer

HEADS = (
    "setting",
    "arm",
    "success",
    "episodes",
    "difference",
    "p (Holm)",
    "gap closed",
    "seen",
    "unseen",
    "paper",
    "its gap",
)
ASIDE, WIDE = ("episodes", "seen", "unseen", "paper", "its gap"), 120
NOTE = "success [95 % Wilson]; paired difference to the control in points, exact McNemar, Holm over the table"
MADE_ELSEWHERE = "*: another setting's or the run's own rollout"
PAPER = "paper: success in %, seen / unseen, and share of the gap on seen tasks, on other benchmarks ({})"


def terminal_table(found: Transfer, width: int) -> Table:
    """A line an arm under its setting's; halves and the paper's figures where `width` [characters] has room for them."""
    shown = [place for place, name in enumerate(HEADS) if place and (width >= WIDE or name not in ASIDE)]
    table = Table(
        title=Text(f"{NOTE}; {MADE_ELSEWHERE}", style="italic"),
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for place in shown:
        table.add_column(HEADS[place], justify="left" if HEADS[place] == "arm" else "right", no_wrap=True)
    for block in found.settings:
        table.add_row(Text(block.title, style="bold"))
        cells = lines(block)
        for number, line in enumerate(cells):
            table.add_row(*(Text(line[place]) for place in shown), end_section=number == len(cells) - 1)
    if width >= WIDE and (sources := paper_note(found)):
        table.caption = Text(sources, style="dim italic")
    return table


def markdown(found: Transfer) -> str:
    """The sentence and the table, as docs take them."""
    table = pipe_table(HEADS, [cells for block in found.settings for cells in lines(block)])
    said = [f"{found.success.headline}\n", *table, f"\n{NOTE}; {MADE_ELSEWHERE}."]
    said += ["", *(f"- {block.title}: {told}" for block in found.settings if (told := rivals_text(block)))]
    said += [f"{sources}."] if (sources := paper_note(found)) else []
    said += seeds_markdown(found.seeds)
    said += ["", *(f"- {caution}" for caution in found.success.cautions)]
    return "\n".join(said).replace("\u00a0", " ") + "\n"


def paper_note(found: Transfer) -> str:
    """Which benchmarks the paper's figures are of; empty where there are none."""
    named = sorted({block.published.benchmark for block in found.settings if block.published})
    return PAPER.format(", ".join(named)) if named else ""


def lines(block: SettingTable) -> list[list[str]]:
    """The block's cells, in the order of HEADS."""
    return [[block.title if not number else "", *_cells(result, block)] for number, result in enumerate(block.results)]


def _cells(result: Result, block: SettingTable) -> list[str]:
    row, arm = result.row, result.row.arm
    paper = block.published.arms.get(arm) if block.published else None
    theirs = block.published.share(arm) if block.published else None
    return [
        arm + ("" if result.borrowed is None else "*"),
        f"{percent(row.rate)} {bounds(row.interval)}",
        f"{row.successes}/{row.episodes}",
        difference(result.comparison),
        "" if result.p_holm is None else bare_p(result.p_holm),
        closed(result.share, "\u00a0%"),
        *("" if half is None else percent(half.rate) for half in (result.seen, result.unseen)),
        " / ".join(f"{figure:g}" for figure in paper or () if figure is not None),
        "" if theirs is None else percent(theirs),
    ]


def difference(comparison: Comparison | None) -> str:
    """ "+31 [24, 38]" in points; empty for what was not compared."""
    if comparison is None:
        return ""
    return f"{points(comparison.difference)} {bounds(comparison.interval)}"


def rivals_text(block: SettingTable) -> str:
    """ "lapa minus vpt +14 [8, 19], p < 0.0001; …": the arm against its rivals; empty where it has none."""
    each = (
        f"minus {found.control} {difference(found)}, {p_text(p_holm)}" for found, p_holm in block.rivals
    )  # fmt: skip
    return f"{block.rivals[0][0].arm} {'; '.join(each)}" if block.rivals else ""


def rows(found: Transfer) -> list[dict[str, Any]]:
    """One flat row an arm and setting, cells of body × body among them; rates in [0, 1], null where there is none."""
    named = {block.name for block in found.settings}
    blocks = [*found.settings, *(block for block in found.cells.values() if block.name not in named)]
    return [_row(block, result) for block in blocks for result in block.results]


def _row(block: SettingTable, result: Result) -> dict[str, Any]:
    comparison, share = result.comparison, result.share
    told = {"setting": block.name, "arm": result.row.arm, "borrowed_from": result.borrowed, **_rate(result.row)}
    told |= {"pairs": None, "difference": None, "difference_95": None, "p_mcnemar": None, "p_holm": result.p_holm}
    if comparison is not None:
        told |= {"pairs": comparison.table.pairs, "difference": comparison.difference}
        told |= {"difference_95": list(comparison.interval), "p_mcnemar": comparison.p_value}
    told |= {"gap_closed": share.share if share else None}
    told |= {"gap_closed_95": finite(share.interval if share else None)}
    told |= {
        "seen": _rate(result.seen) if result.seen else None,
        "unseen": _rate(result.unseen) if result.unseen else None,
    }
    versus = next((found for found in block.rivals if found[0].control == result.row.arm), None)
    if versus:
        told |= {"arm_minus_this": versus[0].difference, "arm_minus_this_95": list(versus[0].interval)}
        told |= {"arm_minus_this_p_mcnemar": versus[0].p_value, "arm_minus_this_p_holm": versus[1]}
    families = {
        group.name: next((row for row in group.rows if row.arm == result.row.arm), None) for group in block.families
    }
    return told | {"families": {name: _rate(row) for name, row in families.items() if row}}


def _rate(row: ArmRow) -> dict[str, Any]:
    return {"successes": row.successes, "episodes": row.episodes, "rate": row.rate, "wilson_95": list(row.interval)}
