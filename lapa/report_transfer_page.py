"""A transfer run's stages and main table in → every part of its page, as one record for the template."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from lapa.report_chain import LINKS, Chain, chains
from lapa.report_failures import FailureTable, failures
from lapa.report_gather import Stage
from lapa.report_matrix import Matrix, matrix
from lapa.report_parts import CurveGroup, FilmRow, curve_groups, video_rows
from lapa.report_published import SOURCE
from lapa.report_seeds import SeedRow, SeedTable
from lapa.report_settings import COLOURS, is_repeated
from lapa.report_transfer import Result, Rules, Transfer
from lapa.report_varied import Varied, varied
from lapa.stats_bootstrap import GapShare


class Films(NamedTuple):
    """One setting's videos: a row a start, a column an arm."""

    title: str
    arms: list[str]
    rows: list[FilmRow]


class TransferPart(NamedTuple):
    """What the page shows of a transfer run beside what it shows of every run."""

    found: Transfer
    arm: str
    control: str
    ceiling: str
    places: dict[str, int]  # colours of arms
    source: str  # of the paper's figures
    links: Sequence[str]
    matrix: Matrix | None
    varied: list[Varied]
    films: list[Films]
    failures: FailureTable | None
    chains: list[Chain]
    curves: list[tuple[str, list[CurveGroup]]]

    @property
    def seeds(self) -> list[SeedTable]:
        """What further trainings say."""
        return self.found.seeds

    @property
    def shares(self) -> list[tuple[str, GapShare]]:
        """The arm's share of the gap, by setting, where there is one."""
        return _shares((table.title, table.result(self.arm)) for table in self.found.settings)

    @property
    def mean_shares(self) -> list[tuple[str, GapShare]]:
        """The same by the means of several trainings."""
        return _shares((table.title, table.row(self.arm)) for table in self.seeds)

    @property
    def best(self) -> list[float]:
        """The highest value of each link over all settings."""
        columns = zip(*(chain.links for chain in self.chains), strict=True)
        return [max((link.value for link in column if link.value is not None), default=0.0) for column in columns]

    @property
    def varied_arms(self) -> set[str]:
        """Arms that some panel of `varied` draws."""
        return {arm for part in self.varied for arm in part.drawn}


def transfer_part(
    stages: Sequence[Stage], found: Transfer, rules: Rules, main_values: Mapping[str, object] | None, max_videos: int
) -> TransferPart:
    """`main_values`: see `report_varied.varied`.

    `max_videos`: starts whose videos are shown, over all settings together; each setting has two at least.
    """
    blocks = found.blocks
    limit = max(2, max_videos // max(1, len(blocks)))
    films = []
    for block in blocks:
        rows = video_rows(list(block.arms.values()), COLOURS, rules.measure, limit, spread=True)
        arms = [arm for arm in block.arms if any(film.arm == arm for row in rows for film in row.films)]
        films += [Films(block.title, arms, rows)] if rows else []
    return TransferPart(
        found, rules.arm, rules.control, rules.ceiling, COLOURS, SOURCE, LINKS,
        matrix(found.cells, arm=rules.arm, control=rules.control),
        varied(
            stages, main_values=main_values, shared=(rules.control, rules.ceiling), beside=rules.beside, measure=rules.measure
        ),
        films,
        failures(blocks, rules.measure),
        chains(stages, found.settings, rules.arm),
        [(table.title, groups) for table in found.settings if (groups := _curves(stages, table.name))],
    )  # fmt: skip


def _shares(found: Iterable[tuple[str, Result | SeedRow | None]]) -> list[tuple[str, GapShare]]:
    given = ((title, row.share) for title, row in found if row)
    return [(title, share) for title, share in given if share and share.shown is not None]


def _curves(stages: Sequence[Stage], name: str) -> list[CurveGroup]:
    """Learning curves of one setting's own first trainings."""
    own = [stage for stage in stages if (stage.name.startswith(f"{name}/") if name else "/" not in stage.name)]
    return curve_groups([stage for stage in own if not is_repeated(stage)], COLOURS)
