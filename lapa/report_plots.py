"""Curves and probe scores in → SVG text that takes its colours from the page, so one drawing serves light and dark."""

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lapa.report_gather import Curves

# Colours no plot would choose by itself; after drawing, each becomes the page's CSS variable of that name.
INK, FAINT, GRID = "#010203", "#010204", "#010205"
SERIES = ("#010211", "#010212", "#010213", "#010214", "#010215", "#010216")
BASELINE = "#010221"
CSS = {INK: "ink", FAINT: "faint", GRID: "rule", BASELINE: "baseline"} | {
    colour: f"series-{index}" for index, colour in enumerate(SERIES, start=1)
}
KINDS = {"codes": SERIES[0], "seen": SERIES[4], "blind": BASELINE}  # what a probe reads
MAX_POINTS = 300  # a line; more than a panel has pixels to show

STYLE: Any = {
    "svg.fonttype": "none",  # text stays text: the page's font, and it can be read aloud
    "svg.hashsalt": "report",  # the same numbers give the same bytes
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "font.size": 9,
}


class Bar(NamedTuple):
    """One probe: what it reads in words and as a key of KINDS, its R², and the R²'s interval if there is one."""

    label: str
    score: float
    kind: str
    interval: Sequence[float] | None


class Band(NamedTuple):
    """One arm's success over the values of a quantity: (value, rate, interval); a level one does not depend on it."""

    name: str
    place: int  # in the page's series, 0-based
    points: Sequence[tuple[str, float, tuple[float, float]]]
    level: bool


def metric_names(curves: Curves) -> list[str]:
    """Names to draw, loss first: "train/loss" and "val/loss" are one metric, drawn in one panel."""
    names = {name.split("/", 1)[1] for name in curves if name.startswith(("train/", "val/"))}
    return sorted(names, key=lambda name: (name != "loss", name))


def curve_svg(metric: str, stages: Mapping[str, Curves], colours: Mapping[str, int]) -> str:
    """One panel: a metric of several trainings over steps; training thin, validation bold.

    `stages` is name → curves; `colours` is name → place in the page's series (0-based).
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(3.5, 2.1)
        for name, curves in stages.items():
            colour = SERIES[colours[name] % len(SERIES)]
            _line(axes, curves.get(f"train/{metric}", []), colour, linewidth=0.9, alpha=0.45)
            held_out = curves.get(f"val/{metric}", [])
            _line(axes, held_out, colour, linewidth=2.0, marker="o" if len(held_out) < 30 else None, markersize=3.2)
        axes.margins(x=0.02)
        axes.locator_params(axis="both", nbins=4)
        axes.xaxis.set_major_formatter(lambda step, _: f"{step / 1000:g}k" if step >= 1000 else f"{step:g}")
        return to_svg(figure)


def probe_svg(bars: Sequence[Bar]) -> str:
    """Horizontal bars of R² with their intervals, in the colour of what each probe reads.

    A negative R² (worse than guessing the mean) is drawn to at most -0.1, its number stays true.
    """
    with matplotlib.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure, axes = _figure(6.2, 0.3 * len(bars) + 0.45)
        scores = [max(bar.score, -0.1) for bar in bars]
        axes.barh(range(len(bars)), scores, color=[KINDS[bar.kind] for bar in bars], height=0.62)
        for row, bar in enumerate(bars):
            low, high = (max(end, -0.1) for end in bar.interval or (scores[row], scores[row]))
            axes.plot((low, high), (row, row), color=FAINT, linewidth=1.2)
            axes.text(max(scores[row], high, 0) + 0.012, row, f"{bar.score:.2f}", va="center", fontsize=9)
        axes.set_yticks(range(len(bars)), [bar.label for bar in bars], fontsize=9, color=INK)
        axes.set_xlim(min(0.0, *scores) * 1.05, max(1.0, *scores) * 1.05)
        axes.axvline(0, color=FAINT, linewidth=0.8)
        axes.invert_yaxis()
        axes.spines["bottom"].set_visible(False)
        return to_svg(figure)


def horizon_svg(policies: Mapping[str, Sequence[float]], guesses: Mapping[str, Sequence[float]]) -> str:
    """Errors over the steps of a chunk: policies in the page's series, in their order; blind guesses grey, named."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(6.2, 2.4)
        for place, values in enumerate(policies.values()):
            axes.plot(range(1, len(values) + 1), values, color=SERIES[place % len(SERIES)], linewidth=1.8)
        for name, values in guesses.items():
            axes.plot(range(1, len(values) + 1), values, color=BASELINE, linewidth=1.2)
            end: Any = {"xytext": (5, 0), "textcoords": "offset points", "va": "center"}
            axes.annotate(name, (len(values), values[-1]), color=FAINT, fontsize=8, **end)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("step of the chunk", color=FAINT, fontsize=8)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return to_svg(figure)


def band_svg(bands: Sequence[Band], values: Sequence[str]) -> str:
    """Success against a quantity's values: numbers on an axis (logarithmic when they span a decade), words side by side."""
    numbers = [number(value) for value in values]
    known = [number for number in numbers if number is not None]
    scaled = len(known) == len(values) and len(values) > 1
    at = dict(zip(values, known if scaled else range(len(values)), strict=True))
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure(3.5, 2.3)
        for band in bands:
            _band(axes, band, at, joined=scaled)
        if scaled and min(known) > 0 and max(known) >= 10 * min(known):
            axes.set_xscale("log")
        axes.set_xticks(list(at.values()), list(at))
        axes.minorticks_off()
        axes.margins(x=0.06)
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(lambda rate, _: f"{100 * rate:.0f} %")
        return to_svg(figure)


def _band(axes: Axes, band: Band, at: Mapping[str, float], *, joined: bool) -> None:
    """One arm: a line in its interval's band; bars without a line between words; dashes where nothing was varied."""
    colour = SERIES[band.place % len(SERIES)]
    x, rates = [at[value] for value, _, _ in band.points], [rate for _, rate, _ in band.points]
    low, high = ([interval[end] for _, _, interval in band.points] for end in (0, 1))
    if band.level or joined:
        axes.fill_between(x, low, high, color=colour, alpha=0.08 if band.level else 0.2, linewidth=0)
        dots: Any = {} if band.level else {"marker": "o", "markersize": 4}
        axes.plot(
            x, rates, color=colour, linewidth=1.2 if band.level else 1.8, linestyle="--" if band.level else "-", **dots
        )
    else:
        axes.vlines(x, low, high, color=colour, linewidth=5, alpha=0.3)
        axes.plot(x, rates, "o", color=colour, markersize=5)


def number(value: str) -> float | None:
    """A word as a number; None when it is none."""
    try:
        return float(value)
    except ValueError:
        return None


def to_svg(figure: Figure) -> str:
    """The figure as an <svg> element for a page: no prolog, no metadata, the page's own colours and width."""
    text = StringIO()
    figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = re.sub(r"<metadata>.*?</metadata>", "", text.getvalue(), flags=re.DOTALL)
    svg = re.sub(r'(<svg [^>]*?)width="[^"]*" ?', r"\1", svg[svg.index("<svg") :], count=1)
    svg = re.sub(r'(<svg [^>]*?)height="[^"]*" ?', r"\1", svg, count=1)
    for colour, variable in CSS.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg


def _figure(width_in: float, height_in: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    return figure, figure.subplots()


def _line(axes: Axes, points: Sequence[tuple[int, float]], colour: str, **style: object) -> None:
    """Draw at most MAX_POINTS points of a line, evenly chosen, the last one always."""
    stride = -(-len(points) // MAX_POINTS) or 1
    chosen = [*points[:-1:stride], *points[-1:]]
    if chosen:
        axes.plot(*zip(*chosen, strict=True), color=colour, **style)  # type: ignore[arg-type]
