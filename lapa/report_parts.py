"""Stages in → what each part of the page shows, as records a template can lay out without thinking."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from markupsafe import Markup

from lapa.report_gather import Curves, Stage, data_uri
from lapa.report_plots import curve_svg, metric_names
from lapa.report_success import Success, arm_name

VIDEO_NAME = re.compile(r"rollout_(?P<task>.+)_(?P<seed>\d+)\.mp4")
Start = tuple[str, int]  # task, seed


class Work(NamedTuple):
    """One line of "what ran": a stage, what came of it, its share of the whole time in [0, 1]."""

    name: str
    sources: list[str]
    made: str
    seconds: float | None
    share: float
    finished: bool


class Film(NamedTuple):
    """One arm's video of an episode; `succeeded` is None when no row of episodes.jsonl speaks of it."""

    arm: str
    succeeded: bool | None
    uri: str


class FilmRow(NamedTuple):
    """The same start, filmed in each arm."""

    task: str
    seed: int
    text: str  # the instruction
    films: list[Film]


class CurveGroup(NamedTuple):
    """Trainings that log the same metrics, drawn into the same panels."""

    stages: list[tuple[str, int]]  # name, colour place
    panels: list[tuple[str, Markup]]


def arm_places(stages: Sequence[Stage], success: Success) -> dict[str, int]:
    """Colour place (0-based) of each arm, the same in every table and plot of the page."""
    rows = success.overall.rows if success.overall else []
    return {row.arm: place for place, row in enumerate(rows)}


def work_rows(stages: Sequence[Stage]) -> list[Work]:
    """What ran, sources before readers, with times."""
    seconds = [float(stage.timing["seconds"]) if stage.timing else None for stage in stages]
    longest = max((value for value in seconds if value), default=1.0)
    return [
        Work(stage.name, stage.sources, _made(stage), value, (value or 0.0) / longest, stage.finished)
        for stage, value in zip(stages, seconds, strict=True)
    ]


def video_rows(
    stages: Sequence[Stage], places: Mapping[str, int], measure: str, limit: int, *, spread: bool = False
) -> list[FilmRow]:
    """The first `limit` starts that were filmed, in order of task and seed and never of outcome, arms side by side.

    spread: not the first ones but evenly over all of them, so that tasks of several kinds are seen.
    """
    paths: dict[Start, dict[str, Path]] = {}
    rows: dict[Start, dict[str, dict[str, Any]]] = {}
    for stage in stages:
        arm = arm_name(stage)
        for row in stage.episodes:
            rows.setdefault((str(row["task"]), int(row["seed"])), {})[arm] = row
        for name, path in stage.videos.items():
            if match := VIDEO_NAME.fullmatch(name):
                paths.setdefault((match["task"], int(match["seed"])), {})[arm] = path
    stride = max(1, len(paths) // limit) if spread else 1
    chosen = sorted(paths)[::stride][:limit]
    return [_film_row(start, paths[start], rows.get(start, {}), places, measure) for start in chosen]


def curve_groups(stages: Sequence[Stage], places: Mapping[str, int]) -> list[CurveGroup]:
    """Learning curves: trainings of one kind that log the same metrics share panels, so that arms can be compared."""
    groups: dict[tuple[str, ...], list[Stage]] = {}
    for stage in stages:
        if names := metric_names(stage.curves):
            groups.setdefault((str(stage.fact.get("record")), *names), []).append(stage)
    return [_curve_group(names, members, places) for (_, *names), members in groups.items()]


def _film_row(
    start: Start, paths: Mapping[str, Path], rows: Mapping[str, dict[str, Any]], places: Mapping[str, int], measure: str
) -> FilmRow:
    arms = sorted(paths, key=lambda arm: places.get(arm, len(places)))
    won = {arm: bool(row[measure]) for arm, row in rows.items()}
    text = next((str(row["text"]) for row in rows.values() if row.get("text")), start[0])
    return FilmRow(*start, text, [Film(arm, won.get(arm), data_uri(paths[arm])) for arm in arms])


def _made(stage: Stage) -> str:
    """What came of a stage, in words: records and count, and for a training its size and speed."""
    if not stage.finished:
        return "unfinished"
    fact = stage.fact
    if "parameters" not in fact:
        return f"{fact['count']:,} × {fact['record']}"
    rates = [value for _, value in stage.curves.get("speed/samples_per_s", [])]
    speed = f", {median(rates):.0f} samples/s" if rates else ""
    return f"{fact['record']}, {fact['parameters'] / 1e6:.2f} M parameters, {fact['count']:,} steps{speed}"


def _curve_group(names: Sequence[str], members: Sequence[Stage], places: Mapping[str, int]) -> CurveGroup:
    colours = _colours([stage.name for stage in members], places)
    curves: dict[str, Curves] = {stage.name: stage.curves for stage in members}
    panels = [(name.replace("_", " "), Markup(curve_svg(name, curves, colours))) for name in names]
    return CurveGroup(sorted(colours.items(), key=lambda item: item[1]), panels)


def _colours(names: Sequence[str], places: Mapping[str, int]) -> dict[str, int]:
    """An arm's colour for the stage that carries its name ("policy_lapa"), colours that no arm has for the others."""
    own = {name: place for name in names for arm, place in places.items() if name.endswith((f"_{arm}", f"/{arm}"))}
    others = (name for name in names if name not in own)
    return own | {name: place for place, name in enumerate(others, start=len(places))}
