"""Stages and the success comparison in → one self-contained HTML page: no other file, no network, light and dark."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from lapa.report_codes import Card, cards, missing_cards
from lapa.report_data import data_counts, funnels
from lapa.report_gather import Stage
from lapa.report_open_loop import GUESSES, open_loop
from lapa.report_parts import arm_places, curve_groups, video_rows, work_rows
from lapa.report_solved import shelves
from lapa.report_success import Success, p_text, percent
from lapa.report_tasks import task_cards

CAPTIONS = {
    "strips": "Before, after, what the decoder makes of before and the codes, what changed, and what the decoder leaves.",
    "swaps": "The same codes on other frames: the first row shows where codes come from, a column should show one motion.",
    "codes": "Each code alone: the frame moved by the usual codes, then what differs when a slot (row) shows another (column).",
}
MEANING = {
    "success_once": "an episode counts when the goal was reached at any moment",
    "success_at_end": "an episode counts when the goal was reached in its last step",
    "success_held": "an episode counts when the goal was reached and held",
}


def render(stages: Sequence[Stage], success: Success, *, title: str, measure: str, max_videos: int) -> str:
    """The page as HTML text.

    `measure` is what decided a success; `max_videos` rows of rollout videos are embedded. The same stages give the same
    bytes: nothing on the page reads a clock.
    """
    places, found = arm_places(stages, success), cards(stages)
    verdict, headline = opening(success, found)
    template = environment().get_template("report.html.j2")
    return template.render(
        title=title,
        measure=MEANING[measure],
        captions=CAPTIONS,
        total_s=sum(float(stage.timing["seconds"]) for stage in stages if stage.timing),
        success=success,
        verdict=verdict,
        headline=headline,
        places=places,
        work=work_rows(stages),
        videos=video_rows(stages, places, measure, max_videos),
        shelves=shelves(stages),
        open_loop=open_loop(stages),
        guesses=list(GUESSES.values()),
        cards=found,
        missing_cards=missing_cards(stages),
        curve_groups=curve_groups(stages, places),
        counts=data_counts(stages),
        funnels=funnels(stages),
        task_cards=task_cards(stages),
        machines=sorted({str(stage.timing["machine"]) for stage in stages if stage.timing}),
        versions=_versions(stages),
    )


def opening(success: Success, found: Sequence[Card]) -> tuple[str, str]:
    """The page's first sentence and its colour's name: of the rollouts, or where there are none, of the first card."""
    if success.overall or not found:
        return success.verdict, success.headline
    return "helps" if found[0].good_enough else "open", found[0].lines[-1]


def environment() -> Environment:
    """Jinja with escaping on (task names and words of videos are data from outside) and our number formats."""
    found = Environment(
        loader=PackageLoader("lapa"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {"percent": percent, "p": p_text, "points": points, "duration": duration, "short": short}
    return found


def points(difference: float) -> str:
    """A difference of rates in percentage points, with its sign: 0.31 → "+31", -0.04 → "−4"."""
    return f"{100 * difference:+.0f}".replace("-", "\u2212")


def duration(seconds: float) -> str:
    """3725 → "1 h 2 min", 125 → "2 min 5 s", 5.25 → "5.2 s"."""
    if seconds < 60:
        return f"{seconds:.1f}\u00a0s" if seconds < 10 else f"{seconds:.0f}\u00a0s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}\u00a0min {rest}\u00a0s" if minutes < 60 else f"{minutes // 60}\u00a0h {minutes % 60}\u00a0min"


def short(number: float) -> str:
    """2100000 → "2.1 M", 1500 → "1,500"."""
    return f"{number / 1e6:.1f}\u00a0M" if number >= 1e6 else f"{number:,.0f}"


def _versions(stages: Sequence[Stage]) -> list[tuple[str, str]]:
    found: dict[str, set[str]] = {}
    for stage in stages:
        versions: Mapping[str, Any] = stage.fact.get("versions", {})
        for name, version in versions.items():
            found.setdefault(name, set()).add(str(version))
    return [(name, ", ".join(sorted(values))) for name, values in sorted(found.items())]
