"""Stages in → how far policies' actions are from held-out demonstrations', as rows and a plot for the page."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from lapa.report_gather import Stage
from lapa.report_plots import horizon_svg

RECORD = "OpenLoop"
GUESSES = {"hold": "stay", "repeat": "last action again", "mean": "mean action"}


class Replayed(NamedTuple):
    """One policy's line: mean errors in deviations of the training's action."""

    stage: str
    robot: str
    episodes: int
    error: float
    guesses: list[float]  # in the order of GUESSES
    better: int  # episodes in which it is nearer than staying
    p_value: float  # of that, Wilcoxon's


class OpenLoop(NamedTuple):
    """All policies that were replayed, and their errors over the steps of a chunk."""

    rows: list[Replayed]
    plot: Markup


def open_loop(stages: Sequence[Stage]) -> OpenLoop | None:
    """None when nothing was replayed."""
    replayed = (stage for stage in stages if stage.fact.get("record") == RECORD)
    found = sorted(replayed, key=lambda stage: stage.name)
    if not found:
        return None
    lines = {stage.name: stage.fact["errors"]["policy"]["step"] for stage in found}
    return OpenLoop(
        [_row(stage.name, stage.fact) for stage in found], Markup(horizon_svg(lines, _guessed(found[0].fact)))
    )


def _row(name: str, fact: Mapping[str, Any]) -> Replayed:
    errors, stay = fact["errors"], fact["better_than"]["hold"]
    guesses = [float(errors[who]["all"]) for who in GUESSES]
    own = float(errors["policy"]["all"])
    return Replayed(name, fact["embodiment"], int(fact["count"]), own, guesses, int(stay["episodes"]), float(stay["p"]))


def _guessed(fact: Mapping[str, Any]) -> dict[str, Sequence[float]]:
    return {words: fact["errors"][who]["step"] for who, words in GUESSES.items() if who != "mean"}
