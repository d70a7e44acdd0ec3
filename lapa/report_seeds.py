"""Rollouts of several trainings of an arm in → what their luck is worth: each rate, means, tests over trainings, shares."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lapa.report_gather import Stage
from lapa.report_settings import Setting, rivals_of
from lapa.report_success import Episodes, by_start
from lapa.stats import Interval, holm
from lapa.stats_bootstrap import GapShare
from lapa.stats_seeds import Difference, mean_interval, share_over_seeds, welch


class SeedRow(NamedTuple):
    """One arm's trainings, first one first; rates in [0, 1], each of `episodes` episodes."""

    arm: str
    rates: list[float]
    episodes: int
    mean: float
    interval: Interval | None
    against: Difference | None  # the control, over trainings; None where either has one
    p_holm: float | None
    share: GapShare | None
    borrowed: bool


class SeedTable(NamedTuple):
    """One setting's arms, those that were trained once among them."""

    name: str
    title: str
    arm: str
    rows: list[SeedRow]
    rivals: list[tuple[str, Difference, float | None]]  # `arm` minus each rival that has several too; with Holm's p
    left_out: list[str]  # rollouts that met other starts than their arm's first

    def row(self, arm: str) -> SeedRow | None:
        """The arm's line, if it is here."""
        return next((row for row in self.rows if row.arm == arm), None)


def seed_tables(
    blocks: Sequence[Setting], more: Mapping[tuple[str, str], Sequence[Stage]], *, arm: str, control: str, ceiling: str,
    measure: str, bootstrap: Mapping[str, Any],
) -> list[SeedTable]:  # fmt: skip
    """A table of each setting in which an arm was trained more than once; `more`: `report_settings.repeated`.

    The tests against the control in all tables are one family of Holm's, those of `arm` against its rivals another; of
    borrowed arms none is made, and none of arms that met different starts.
    """
    found = []
    for block in blocks:
        arms, left_out = _trainings(block, more)
        if left_out or any(len(seeds) > 1 for seeds in arms.values()):
            rows = [_row(name, arms, control, ceiling, measure, bootstrap, name in block.borrowed) for name in arms]
            named = rivals_of(arm, [name for name in arms if _alike(arms, arm, name)], control, ceiling)
            found.append(SeedTable(block.name, block.title, arm, rows, _rivals(rows, arm, named), left_out))
    return _corrected(found)


def _trainings(
    block: Setting, more: Mapping[tuple[str, str], Sequence[Stage]]
) -> tuple[dict[str, list[Episodes]], list[str]]:
    """Each arm's trainings that met the starts of its first, and the names of those that did not."""
    arms: dict[str, list[Episodes]] = {}
    left_out = []
    for name, stage in block.arms.items():
        arms[name] = [by_start(stage)]
        for one in more.get((block.borrowed.get(name, block.name), name), ()):
            rows = by_start(one)
            if _met(rows) == _met(arms[name][0]):
                arms[name].append(rows)
            else:
                left_out.append(one.name)
    return arms, left_out


def _alike(arms: Mapping[str, list[Episodes]], first: str, second: str) -> bool:
    """Whether there is a test over trainings: several of both, on the same starts."""
    both = [arms.get(name, []) for name in (first, second)]
    return min(map(len, both)) > 1 and _met(both[0][0]) == _met(both[1][0])


def _met(rows: Episodes) -> set[tuple[tuple[str, int], str]]:
    """The starts, and the first states they began in."""
    return {(start, str(row.get("state_hash"))) for start, row in rows.items()}


def _row(
    arm: str, arms: Mapping[str, list[Episodes]], control: str, ceiling: str, measure: str,
    bootstrap: Mapping[str, Any], borrowed: bool,
) -> SeedRow:  # fmt: skip
    rates = {name: [_rate(rows, measure) for rows in seeds] for name, seeds in arms.items()}
    ours, theirs = rates[arm], rates.get(control, [])
    tested = arm != control and not borrowed and _alike(arms, arm, control)
    trio = [arms[name] for name in (arm, control, ceiling) if name in arms]
    shared = len(trio) == 3 and arm not in (control, ceiling) and len(ours) > 1
    return SeedRow(
        arm=arm,
        rates=ours,
        episodes=len(arms[arm][0]),
        mean=float(np.mean(ours)),
        interval=mean_interval(ours),
        against=welch(ours, theirs) if tested else None,
        p_holm=None,
        share=_share(trio, measure, bootstrap) if shared else None,
        borrowed=borrowed,
    )


def _rivals(rows: Sequence[SeedRow], arm: str, rivals: Sequence[str]) -> list[tuple[str, Difference, float | None]]:
    rates = {row.arm: row.rates for row in rows}
    return [(name, welch(rates[arm], rates[name]), None) for name in rivals]


def _rate(rows: Episodes, measure: str) -> float:
    return sum(bool(row[measure]) for row in rows.values()) / len(rows)


def _share(trio: Sequence[Sequence[Episodes]], measure: str, bootstrap: Mapping[str, Any]) -> GapShare | None:
    """On the starts that all trainings of the three met, from the same first states."""
    starts = [start for start, _ in sorted(set.intersection(*(_met(rows) for seeds in trio for rows in seeds)))]
    if not starts:
        return None
    outcomes = [np.array([[bool(rows[start][measure]) for start in starts] for rows in seeds]) for seeds in trio]
    return share_over_seeds(outcomes, [task for task, _ in starts], **bootstrap)


def _corrected(tables: Sequence[SeedTable]) -> list[SeedTable]:
    controlled = _adjusted([row.against for table in tables for row in table.rows])
    rivalled = _adjusted([found for table in tables for _, found, _ in table.rivals])
    return [
        table._replace(
            rows=[row._replace(p_holm=next(controlled)) for row in table.rows],
            rivals=[(name, found, next(rivalled)) for name, found, _ in table.rivals],
        )
        for table in tables
    ]


def _adjusted(found: Sequence[Difference | None]) -> Iterator[float | None]:
    """Holm's p of each, None where there was no test."""
    p_values = [one.p_value if one else None for one in found]
    adjusted = iter(holm([p for p in p_values if p is not None]))
    yield from (None if p is None else next(adjusted) for p in p_values)
