"""Stages of a transfer run in → its main table: settings × arms, each with intervals, tests, and its share of the gap."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from lapa.report_gather import Stage
from lapa.report_numbers import signed
from lapa.report_published import PUBLISHED, Published
from lapa.report_seeds import SeedTable, seed_tables
from lapa.report_settings import (
    ABLATIONS,
    Setting,
    ablated,
    cells,
    in_order,
    repeated,
    rivals_of,
    rollouts,
    setting,
    settings,
    taught,
)
from lapa.report_success import (
    ONE_TRAINING,
    ArmRow,
    Comparison,
    Episodes,
    Group,
    Success,
    arm_name,
    by_start,
    cautions,
    check_measure,
    group,
    partners,
    unsettled,
)  # fmt: skip
from lapa.stats import holm
from lapa.stats_bootstrap import GapShare, share_of_gap

MOVED = "Met other starts than the first training of their arm, so left out:"
FIRST = "The main table is each arm's first training; the luck in it is in the table of all trainings."
DEMOS = "demos"  # what the folder of the target's few demonstrations is called


class Rules(NamedTuple):
    """What counts and who is compared: entries of configs/report.yaml."""

    arm: str
    control: str
    ceiling: str
    beside: list[str]
    claim: str
    measure: str
    alpha: float
    min_pairs: int
    bootstrap: dict[str, Any]  # draw_tasks, resamples, seed


class Result(NamedTuple):
    """One arm in one setting. Of a borrowed arm no test is shown: it stands where it was made."""

    row: ArmRow
    comparison: Comparison | None  # with the control
    p_holm: float | None  # corrected over the whole table
    share: GapShare | None  # of the gap between control and ceiling
    seen: ArmRow | None  # on tasks that were demonstrated
    unseen: ArmRow | None
    borrowed: str | None  # "" is the run's own folder


class SettingTable(NamedTuple):
    """One setting's block of the main table, its families, and the paper's figures if it has any."""

    name: str
    title: str
    about: str
    results: list[Result]
    rivals: list[tuple[Comparison, float]]  # the arm against each other one but control and ceiling; with Holm's p
    families: list[Group]
    published: Published | None
    cautions: list[str]

    def result(self, arm: str) -> Result | None:
        """The arm's line; None when it was not measured here."""
        return next((result for result in self.results if result.row.arm == arm), None)


class Transfer(NamedTuple):
    """What the page opens with, the main table, the cells of body × body, and what further trainings say."""

    success: Success
    blocks: list[Setting]
    settings: list[SettingTable]  # one of each block, by each arm's first training
    cells: dict[tuple[str, str], SettingTable]
    seeds: list[SeedTable]


def transfer(stages: Sequence[Stage], rules: Rules) -> Transfer:
    """Everything that is said about success in a transfer run.

    The p-values of all arms' comparisons with the control in all settings are one family for Holm's correction, those of
    the arm with its rivals another; so with the cells of the matrix.
    Raises ValueError for a measure that episodes do not have.
    """
    check_measure(rules.measure)
    found, demonstrated = rollouts(stages), _demonstrated(stages)
    shared = (rules.control, *rules.beside, rules.ceiling)
    lent: dict[str, Any] = {"shared": shared, "demos": taught(stages)}
    matrix = cells(found, **lent)
    blocks = settings(found, **lent) or list(matrix.values()) or [setting(place, found, **lent) for place in found]
    tables = corrected([table(block, _shown(demonstrated, block.name), rules) for block in blocks])
    cell_tables = corrected([table(block, _shown(demonstrated, block.name), rules) for block in matrix.values()])
    compared = {name: getattr(rules, name) for name in ("arm", "control", "ceiling", "measure", "bootstrap")}
    more = repeated(stages)
    varied = [
        setting(place, found, **lent)
        for place in dict.fromkeys(place for place, _ in more)
        if place.startswith(f"{ABLATIONS}/") and place in found and place not in {block.name for block in blocks}
    ]
    seeds = seed_tables([*blocks, *_others(matrix, blocks), *varied], more, **compared)
    verdict, headline = opening_words(tables, rules)
    told = _told(tables, several={table.name for table in seeds})
    told += [f"{MOVED} {', '.join(left)}." for table in seeds if (left := table.left_out)]
    success = Success(verdict, headline, None, [], [*unsettled(stages), *told])
    return Transfer(success, blocks, tables, dict(zip(matrix, cell_tables, strict=True)), seeds)


def single(stages: Sequence[Stage], success: Success, rules: Rules) -> Transfer:
    """The same record of a run without settings: one block of all its arms."""
    arms = {arm_name(stage): stage for stage in stages if stage.finished and stage.episodes}
    block = Setting("", "all tasks", "", in_order(arms), {})
    blocks = [block] if arms else []
    return Transfer(
        success, blocks, corrected([table(block, _shown(_demonstrated(stages), ""), rules) for block in blocks]), {}, []
    )


def table(block: Setting, demonstrated: set[str] | None, rules: Rules) -> SettingTable:
    """One setting's block. Raises ValueError as `report_success.by_start`."""
    arms = {arm: by_start(stage) for arm, stage in block.arms.items()}
    compared: dict[str, str] = {"control": rules.control, "measure": rules.measure}
    whole = group(block.title, arms, **compared)
    seen, unseen = _halves(arms, demonstrated, compared)
    results = [
        Result(
            row=row,
            comparison=None if row.arm in block.borrowed else whole.against(row.arm),
            p_holm=None,
            share=gap_share(row.arm, arms, rules),
            seen=seen.get(row.arm),
            unseen=unseen.get(row.arm),
            borrowed=block.borrowed.get(row.arm),
        )
        for row in whole.rows
    ]
    names = sorted({str(row["family"]) for rows in arms.values() for row in rows.values()})
    families = [group(name, _of(arms, lambda row, name=name: row["family"] == name), **compared) for name in names]
    told = cautions(list(block.arms.values()), arms, whole, min_pairs=rules.min_pairs)
    rivals = [(comparison, comparison.p_value) for comparison in against_rivals(arms, rules)]
    return SettingTable(
        block.name, block.title, block.about, results, rivals, families, PUBLISHED.get(block.name), told
    )


def against_rivals(arms: Mapping[str, Episodes], rules: Rules) -> list[Comparison]:
    """The arm against its rivals (`report_settings.rivals_of`), on the starts that both met."""
    if rules.arm not in arms:
        return []
    rivals = rivals_of(rules.arm, list(arms), rules.control, rules.ceiling)
    pairs = ({rules.arm: arms[rules.arm], name: arms[name]} for name in rivals)
    groups = (group("", pair, control=name, measure=rules.measure) for name, pair in zip(rivals, pairs, strict=True))
    return [comparison for found in groups for comparison in found.comparisons]


def gap_share(arm: str, arms: Mapping[str, Episodes], rules: Rules) -> GapShare | None:
    """The arm's share of the gap, on starts that arm, control and ceiling met; None where one of the three is not there."""
    if arm in (rules.control, rules.ceiling) or not {rules.control, rules.ceiling} <= arms.keys():
        return None
    ours, low, high = arms[arm], arms[rules.control], arms[rules.ceiling]
    shared = set(partners(ours, low)) & set(partners(ours, high))
    by_task: dict[str, list[list[bool]]] = {}
    for start in sorted(shared):
        by_task.setdefault(start[0], []).append([bool(rows[start][rules.measure]) for rows in (ours, low, high)])
    return share_of_gap(by_task, **rules.bootstrap) if by_task else None


def corrected(tables: Sequence[SettingTable]) -> list[SettingTable]:
    """The same tables with Holm's p-values, over all their comparisons with the control, and over all with rivals."""
    tested = [result.comparison.p_value for found in tables for result in found.results if result.comparison]
    controlled = iter(holm(tested))
    rivalled = iter(holm([comparison.p_value for found in tables for comparison, _ in found.rivals]))
    return [
        found._replace(
            results=[one._replace(p_holm=next(controlled)) if one.comparison else one for one in found.results],
            rivals=[(comparison, next(rivalled)) for comparison, _ in found.rivals],
        )
        for found in tables
    ]


def opening_words(tables: Sequence[SettingTable], rules: Rules) -> tuple[str, str]:
    """The verdict and the first sentence: in how many settings the arm beats the control, and how much of the gap it closes.

    helps, hurts: it does so in some settings, and the other in none.
    """
    found = [result for block in tables if (result := block.result(rules.arm)) and result.comparison]
    if not found:
        return "none", f"Nothing to compare yet: no setting has both {rules.arm} and {rules.control}."
    shown = [result.comparison for result in found if result.comparison and (result.p_holm or 0.0) < rules.alpha]
    better = sum(comparison.difference > 0 for comparison in shown)
    counts = {"helps": better, "hurts": len(shown) - better}
    said = [name for name, count in counts.items() if count]
    verdict = said[0] if len(said) == 1 else "open"
    words = " and ".join(f"{name} in {counts[name]}" for name in said)
    words = f"{rules.claim} {words}" if words else "No difference shown in any"
    where = f"of {len(found)} settings" if len(found) > 1 else "setting"
    shares = sorted(share for result in found if result.share and (share := result.share.shown) is not None)
    longer = "".join(_above(tables, name, rules) for name in rules.beside)
    if not shares:
        return verdict, f"{words} {where}: no gap is shown, or there is no ceiling, to take a share of.{longer}"
    span = " to ".join(dict.fromkeys((signed(shares[0]), signed(shares[-1]))))
    gap = f"{rules.arm} closes {span}\u00a0% of the gap between {rules.control} and true actions."
    return verdict, f"{words} {where}: {gap}{longer}"


def _above(tables: Sequence[SettingTable], beside: str, rules: Rules) -> str:
    """In how many settings the arm is above another that has watched nothing; "" when that one was not measured."""
    met = [(pair, p) for block in tables for pair, p in block.rivals if pair.control == beside]
    above = sum(p < rules.alpha and pair.difference > 0 for pair, p in met)
    return f" Above {beside}, which has watched nothing either, in {above} of {len(met)}." if met else ""


def _others(matrix: Mapping[tuple[str, str], Setting], blocks: Sequence[Setting]) -> list[Setting]:
    """Cells that are not settings by another name."""
    named = {block.name for block in blocks}
    return [block for block in matrix.values() if block.name not in named]


def _demonstrated(stages: Sequence[Stage]) -> dict[str, set[str]]:
    """{folder: hashes of the tasks in its demonstrations}; "" is the run's own. Those that do not say are left out."""
    found = {}
    for stage in stages:
        place, _, last = stage.name.rpartition("/")
        hashes = stage.fact.get("config", {}).get("task_hashes")
        if last == DEMOS and not ablated(stage) and hashes is not None:
            found[place] = set(hashes)
    return found


def _shown(demonstrated: Mapping[str, set[str]], name: str) -> set[str] | None:
    """What is demonstrated in a setting: in its own folder, the run's, or that of another robot, who does the same."""
    order = [name, "", *demonstrated]
    return next((demonstrated[place] for place in order if place in demonstrated), None)


def _halves(
    arms: Mapping[str, Episodes], demonstrated: set[str] | None, compared: Mapping[str, str]
) -> tuple[dict[str, ArmRow], dict[str, ArmRow]]:
    """Each arm's row on demonstrated tasks and on others; empty unless there are both kinds."""
    hashes = {row.get("task_hash") for rows in arms.values() for row in rows.values()}
    if demonstrated is None or not hashes & demonstrated or hashes <= demonstrated:
        return {}, {}
    halves = [
        _of(arms, lambda row, half=half: (row.get("task_hash") in demonstrated) is half) for half in (True, False)
    ]
    seen, unseen = ({row.arm: row for row in group("", half, **compared).rows} for half in halves)
    return seen, unseen


def _of(arms: Mapping[str, Episodes], chosen: Any) -> dict[str, Episodes]:
    return {arm: {start: row for start, row in rows.items() if chosen(row)} for arm, rows in arms.items()}


def _told(tables: Sequence[SettingTable], *, several: Collection[str]) -> list[str]:
    """What to read with care; what several settings say is said once, with their names unless it is all of them.

    several: names of the settings in which an arm was trained several times.
    """
    lines: dict[str, list[str]] = {}
    for block in tables:
        for line in block.cautions:
            line = FIRST if line == ONE_TRAINING and block.name in several else line
            lines.setdefault(line, []).append(block.title)
    return [line if len(titles) == len(tables) else f"{', '.join(titles)}: {line}" for line, titles in lines.items()]
