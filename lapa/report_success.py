"""Rollout stages in → who succeeded how often, paired by task and seed, and the one sentence the report opens with."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lapa.report_gather import Stage
from lapa.report_numbers import p_text, percent
from lapa.stats import Interval, PairedTable, mcnemar_of, paired_difference, paired_table, wilson

Episodes = dict[tuple[str, int], dict[str, Any]]  # one arm's rows of episodes.jsonl by (task, seed)


class ArmRow(NamedTuple):
    """One arm's line in the success table; rates in [0, 1], steps in control steps."""

    arm: str
    successes: int
    episodes: int
    rate: float
    interval: Interval
    others: dict[str, float]  # the success measures that do not decide, by name
    mean_steps: float


class Comparison(NamedTuple):
    """One arm against the control on the starts that both met."""

    arm: str
    control: str
    table: PairedTable
    difference: float
    interval: Interval
    p_value: float


class Group(NamedTuple):
    """The success table of some episodes: all of them, or one family of tasks."""

    name: str
    rows: list[ArmRow]
    comparisons: list[Comparison]

    def against(self, arm: str) -> Comparison | None:
        """The arm's comparison with the control; None for the control itself."""
        return next((comparison for comparison in self.comparisons if comparison.arm == arm), None)


class Success(NamedTuple):
    """Everything the report says about evaluation. `verdict` is helps, hurts, open (no difference, or both) or none."""

    verdict: str
    headline: str
    overall: Group | None
    families: list[Group]
    cautions: list[str]


ONE_TRAINING = "One training per arm: intervals cover the evaluation's seeds, not the luck of a training run."
MEASURES = ("success_once", "success_at_end", "success_held")


def compare(
    stages: Sequence[Stage], *, arm: str, control: str, claim: str, measure: str, alpha: float, min_pairs: int
) -> Success:
    """Compare every rollout arm with the control, first over all episodes, then family by family.

    `claim` is what the arm has and the control has not; `measure` (one of MEASURES) decides; `alpha` is the level below
    which a paired p counts as a difference. Raises ValueError for another measure, two stages of one arm, two rows of
    one (task, seed), or rows that lack a needed entry.
    """
    check_measure(measure)
    arms = episodes_by_arm(stages)
    if not arms:
        return Success("none", "No evaluation in this run yet.", None, [], unsettled(stages))
    arms = {name: arms[name] for name in sorted(arms, key=lambda name: (name != arm, name == control, name))}
    overall = group("all", arms, control=control, measure=measure)
    families = sorted({str(row["family"]) for rows in arms.values() for row in rows.values()})
    groups = [
        group(family, {name: _of_family(rows, family) for name, rows in arms.items()}, control=control, measure=measure)
        for family in families
    ]
    verdict, headline = sentence(overall, arm=arm, control=control, claim=claim, alpha=alpha)
    told = [*unsettled(stages), *cautions(stages, arms, overall, min_pairs=min_pairs)]
    return Success(verdict, headline, overall, groups, told)


def check_measure(measure: str) -> None:
    """Raises ValueError for a measure that episodes do not have."""
    if measure not in MEASURES:
        raise ValueError(f"no success measure {measure!r}; an episode has {', '.join(MEASURES)}")


def episodes_by_arm(stages: Sequence[Stage]) -> dict[str, Episodes]:
    """The rows of each finished rollout, by arm. Raises ValueError when two rollouts carry one arm's name."""
    arms: dict[str, Episodes] = {}
    for stage in stages:
        if stage.finished and stage.episodes:
            if arm_name(stage) in arms:
                raise ValueError(f"{stage.folder}: there is another rollout of {arm_name(stage)!r}; report them apart")
            arms[arm_name(stage)] = by_start(stage)
    return arms


def arm_name(stage: Stage) -> str:
    """The arm a rollout folder is called after: "rollout_lapa" and "rollout/lapa" are lapa."""
    last = stage.name.split("/")[-1]
    return last.removeprefix("rollout").strip("_-") or last


def by_start(stage: Stage) -> Episodes:
    """A rollout's rows by (task, seed). Raises ValueError when one start was counted twice or a row lacks an entry."""
    needed = ("task", "family", "seed", *MEASURES)
    rows: Episodes = {}
    for row in stage.episodes:
        if missing := [name for name in needed if name not in row]:
            raise ValueError(f"{stage.folder}/episodes.jsonl: a row lacks {', '.join(missing)}; it has {sorted(row)}")
        start = (str(row["task"]), int(row["seed"]))
        if start in rows:
            raise ValueError(f"{stage.folder}/episodes.jsonl: task {start[0]}, seed {start[1]} is there twice")
        rows[start] = row
    return rows


def group(name: str, arms: dict[str, Episodes], *, control: str, measure: str) -> Group:
    """One success table: a row an arm that has episodes, and each arm against the control where they share starts."""
    rows = [_row(arm, episodes, measure) for arm, episodes in arms.items() if episodes]
    others = [arm for arm in arms if arm != control] if control in arms else []
    found = [_compare(arm, control, arms, measure) for arm in others if partners(arms[arm], arms[control])]
    return Group(name, rows, found)


def sentence(overall: Group, *, arm: str, control: str, claim: str, alpha: float) -> tuple[str, str]:
    """The verdict (helps, hurts, open or none) and the report's first sentence."""
    found = overall.against(arm)
    if found is None:
        each = ", ".join(f"{row.arm} {percent(row.rate)} of {row.episodes}" for row in overall.rows)
        absent = [name for name in (arm, control) if name not in {row.arm for row in overall.rows}]
        return "none", f"Nothing to compare, no {' and no '.join(absent) or 'common start'}: {each}."
    shown = found.p_value < alpha
    verdict = "open" if not shown else "helps" if found.difference > 0 else "hurts"
    words = {"helps": f"{claim} helps", "hurts": f"{claim} hurts", "open": "No difference shown"}[verdict]
    first, second = found.table.rates
    seeds = f"on the same {found.table.pairs} seeds"
    rates = f"{found.arm} {percent(first)} vs {found.control} {percent(second)}"
    return verdict, f"{words}: {rates} {seeds}, McNemar {p_text(found.p_value)}."


def _row(arm: str, episodes: Episodes, measure: str) -> ArmRow:
    rows = list(episodes.values())
    share = {name: sum(bool(row[name]) for row in rows) / len(rows) for name in MEASURES}
    successes = sum(bool(row[measure]) for row in rows)
    steps = sum(float(row.get("steps", "nan")) for row in rows) / len(rows)
    others = {name: rate for name, rate in share.items() if name != measure}
    return ArmRow(arm, successes, len(rows), share[measure], wilson(successes, len(rows)), others, steps)


def partners(ours: Episodes, theirs: Episodes) -> list[tuple[str, int]]:
    """The starts that both arms met. A pair whose first states differ is no pair, whatever its seed says."""
    shared = sorted(ours.keys() & theirs.keys())
    return [start for start in shared if ours[start].get("state_hash") == theirs[start].get("state_hash")]


def _compare(arm: str, control: str, arms: dict[str, Episodes], measure: str) -> Comparison:
    ours, theirs = arms[arm], arms[control]
    table = paired_table((ours[start][measure], theirs[start][measure]) for start in partners(ours, theirs))
    first, second = table.rates
    return Comparison(arm, control, table, first - second, paired_difference(table), mcnemar_of(table))


def _of_family(rows: Episodes, family: str) -> Episodes:
    return {start: row for start, row in rows.items() if str(row["family"]) == family}


def unsettled(stages: Sequence[Stage]) -> list[str]:
    """A line that names the stages whose doors have not finished, and one the rollouts of policies that are no more."""
    found = {
        "Unfinished, so not counted in any result": [stage.name for stage in stages if not stage.finished],
        "Made before its policy was trained anew; run its command again": _outdated(stages),
    }
    return [f"{words}: {', '.join(names)}." for words, names in found.items() if names]


def _outdated(stages: Sequence[Stage]) -> list[str]:
    """Finished rollouts that read what no stage is any more, and not the `policy_<arm>` that stands beside them."""
    named, found = {stage.name for stage in stages}, []
    for stage in (stage for stage in stages if stage.finished and stage.episodes):
        policy = f"{stage.name.rpartition('/')[0]}/policy_{arm_name(stage)}".lstrip("/")
        lost = len(set(stage.fact.get("inputs", {}).values())) > len(stage.sources)
        found += [stage.name] if lost and policy in named and policy not in stage.sources else []
    return found


def cautions(stages: Sequence[Stage], arms: dict[str, Episodes], overall: Group, *, min_pairs: int) -> list[str]:
    """What a careful reader should know before believing the first sentence."""
    found = []
    for comparison in overall.comparisons:
        ours, theirs = arms[comparison.arm], arms[comparison.control]
        shared, pair = len(ours.keys() & theirs.keys()), f"{comparison.arm} and {comparison.control}"
        if alone := len(ours.keys() ^ theirs.keys()):
            found.append(f"{alone} episodes of {pair} have no partner and are left out of the paired test.")
        if moved := shared - comparison.table.pairs:
            found.append(f"{moved} of {shared} pairs of {pair} began in different states and are left out of the test.")
        if comparison.table.pairs < min_pairs:
            found.append(f"Only {comparison.table.pairs} paired seeds for {pair}; ask for at least {min_pairs}.")
        if _policies(ours) & _policies(theirs):
            found.append(f"{pair} ran the same policy: the comparison says nothing about how it was trained.")
    if overall.comparisons:
        found.append(ONE_TRAINING)
    return found


def _policies(rows: Episodes) -> set[str]:
    return {str(row["policy_hash"]) for row in rows.values() if row.get("policy_hash")}
