"""Stages and the success comparison in → one self-contained HTML page: no other file, no network, light and dark."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from lapa.report_data import data_counts, funnels
from lapa.report_gather import Stage
from lapa.report_parts import arm_places, curve_groups, qualities, video_rows, work_rows
from lapa.report_success import Success, p_text, percent

CAPTIONS = {
    "strips": "Before, after, and what the decoder makes of before and the code.",
    "swaps": "The same first frame with other codes: what each code does to it.",
}
MEANING = {
    "success_once": "an episode counts when the goal was reached at any moment",
    "success_at_end": "an episode counts when the goal was reached in its last step",
    "success_held": "an episode counts when the goal was reached and held",
}


def render(
    stages: Sequence[Stage], success: Success, *, title: str, measure: str, max_videos: int, probe_margin: float
) -> str:
    """The page as HTML text.

    `measure` is what decided a success; `max_videos` rows of rollout videos are embedded; codes must beat the best
    baseline's R² by `probe_margin` before the page says that they tell of motion. The same stages give the same
    bytes: nothing on the page reads a clock.
    """
    places = arm_places(stages, success)
    template = environment().get_template("report.html.j2")
    return template.render(
        title=title,
        measure=MEANING[measure],
        captions=CAPTIONS,
        total_s=sum(float(stage.timing["seconds"]) for stage in stages if stage.timing),
        success=success,
        places=places,
        work=work_rows(stages),
        videos=video_rows(stages, places, measure, max_videos),
        qualities=qualities(stages, probe_margin),
        curve_groups=curve_groups(stages, places),
        counts=data_counts(stages),
        funnels=funnels(stages),
        machines=sorted({str(stage.timing["machine"]) for stage in stages if stage.timing}),
        versions=_versions(stages),
    )


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
