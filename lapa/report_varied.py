"""Ablations of a transfer run in → success against the quantity that was varied, a panel each, with 95 % bands."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from lapa.report_gather import Stage
from lapa.report_plots import Band, band_svg, number
from lapa.report_settings import ABLATIONS, COLOURS, Rollouts, in_order, rollouts, setting, taught, unmoved
from lapa.report_success import ArmRow, by_start, group

UNITS = {"percent": "%", "s": "s", "px": "px"}  # last words of a quantity's name
MAIN = "in_domain"  # the setting that ablations vary


class Varied(NamedTuple):
    """One quantity: its panel, and the same as a table of values × arms."""

    quantity: str
    arms: list[str]
    rows: list[tuple[str, list[ArmRow | None]]]
    drawn: list[str]  # arms of the panel, level ones too
    plot: Markup


def varied(
    stages: Sequence[Stage], *, main_values: Mapping[str, object] | None, shared: Sequence[str], beside: Sequence[str],
    measure: str,
) -> list[Varied]:  # fmt: skip
    """Every quantity of `ablations/<quantity>/<value>/rollout_<arm>`, by name.

    `main_values`: {quantity: its value in the run's main setting}, which gives each curve that point without running it
    twice. Arms in `shared`, control and ceiling, do not depend on a quantity of which no value has one of them: they are drawn
    as level lines; but the ceiling not against videos, of which it would have had fewer too. Those in `beside` have the main
    setting's point too, and no level line.
    """
    found = rollouts(stages)
    main = setting(MAIN, found, shared=(*shared, *beside), demos=taught(stages)).arms if MAIN in found else {}
    values: dict[str, Rollouts] = {}
    for place in found:
        match place.split("/"):
            case [folder, quantity, value] if folder == ABLATIONS:
                values.setdefault(quantity, {})[value] = found[place]
    return [
        _varied(name, values[name], main, (main_values or {}).get(name), shared, measure) for name in sorted(values)
    ]


def words(quantity: str) -> str:
    """videos_percent → "videos [%]", gap_s → "gap [s]", codebook_size → "codebook size"."""
    name, _, last = quantity.rpartition("_")
    return f"{name} [{UNITS[last]}]".replace("_", " ") if last in UNITS else quantity.replace("_", " ")


def _varied(
    quantity: str, by_value: Rollouts, main: Mapping[str, Stage], at: object, shared: Sequence[str], measure: str
) -> Varied:
    arms = list(in_order({arm: stage for stages in by_value.values() for arm, stage in stages.items()}))
    by_value = dict(by_value)
    if at is not None and str(at) not in by_value:
        by_value[str(at)] = {arm: stage for arm, stage in main.items() if arm in arms}
    values = sorted(by_value, key=_order)
    rows = [(value, [_rate(by_value[value].get(arm), arm, measure) for arm in arms]) for value in values]
    level = {arm: row for arm in unmoved(quantity, arms, shared) if (row := _rate(main.get(arm), arm, measure))}
    plot = Markup(band_svg(_bands(arms, rows, level), values))
    return Varied(words(quantity), arms, rows, [*arms, *level], plot)


def _bands(
    arms: Sequence[str], rows: Sequence[tuple[str, list[ArmRow | None]]], level: Mapping[str, ArmRow]
) -> list[Band]:
    """A band an arm; a level one has the same rate at every value."""
    lines = {arm: [(value, row[place]) for value, row in rows if row[place]] for place, arm in enumerate(arms)}
    lines |= {arm: [(value, row) for value, _ in rows] for arm, row in level.items()}
    return [
        Band(arm, COLOURS.get(arm, len(COLOURS)), [(value, row.rate, row.interval) for value, row in points if row], arm in level)
        for arm, points in lines.items()
    ]  # fmt: skip


def _rate(stage: Stage | None, arm: str, measure: str) -> ArmRow | None:
    return group("", {arm: by_start(stage)}, control="", measure=measure).rows[0] if stage else None


def _order(value: str) -> tuple[bool, float, str]:
    """Numbers by size, then words by letter."""
    found = number(value)
    return found is None, found or 0.0, value
