"""Stages and the success comparison in → one self-contained HTML page: no other file, no network, light and dark."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from lapa.report_codes import Card, cards, missing_cards
from lapa.report_data import data_counts, funnels
from lapa.report_gather import Stage
from lapa.report_numbers import bare_p, bounds, duration, p_text, percent, points, short, signed
from lapa.report_open_loop import GUESSES, open_loop
from lapa.report_parts import arm_places, curve_groups, video_rows, work_rows
from lapa.report_seed_tables import rivals_of_seeds
from lapa.report_settings import SETTINGS, ablated, is_repeated
from lapa.report_solved import shelves
from lapa.report_success import Success
from lapa.report_tasks import task_cards
from lapa.report_transfer_page import TransferPart

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


PARTS = {
    "seeds": "Luck",
    "matrix": "Body × body",
    "varied": "Ablations",
    "films": "Videos",
    "failures": "Failures",
    "chains": "Chain",
}


def render(
    stages: Sequence[Stage],
    success: Success,
    *,
    transfer: TransferPart | None,
    title: str,
    measure: str,
    max_videos: int,
) -> str:
    """The page as HTML text; of a transfer run, what it has of its own stands in place of the success table and videos.

    `measure` is what decided a success; `max_videos` rows of rollout videos are embedded. The same stages give the same
    bytes: nothing on the page reads a clock.
    """
    ran = stages
    if transfer:
        stages = [stage for stage in stages if not ablated(stage) and not is_repeated(stage)]
    places, found = transfer.places if transfer else arm_places(stages, success), cards(stages)
    verdict, headline = opening(success, [] if transfer else found)
    template = environment().get_template("report.html.j2")
    return template.render(
        title=title,
        measure=MEANING[measure],
        captions=CAPTIONS,
        total_s=sum(float(stage.timing["seconds"]) for stage in ran if stage.timing),
        success=success,
        verdict=verdict,
        headline=headline,
        places=places,
        work=work_rows(ran),
        transfer=transfer,
        parts=transfer_parts(transfer),
        videos=[] if transfer else video_rows(stages, places, measure, max_videos),
        shelves=shelves(stages),
        open_loop=open_loop(stages),
        guesses=list(GUESSES.values()),
        cards=by_setting(found) if transfer else found,
        missing_cards=missing_cards(stages),
        curve_groups=[] if transfer else curve_groups(stages, places),
        setting_curves=transfer.curves if transfer else [],
        counts=data_counts(stages),
        funnels=funnels(stages),
        task_cards=task_cards(stages),
        machines=sorted({str(stage.timing["machine"]) for stage in stages if stage.timing}),
        versions=_versions(stages),
    )


def transfer_parts(transfer: TransferPart | None) -> list[tuple[str, str, bool]]:
    """(id, name, whether it is there) of a transfer run's own parts, for the line on top."""
    if transfer is None:
        return []
    return [("settings", "Settings", True), *((id, name, bool(getattr(transfer, id))) for id, name in PARTS.items())]


def by_setting(found: Sequence[Card]) -> list[Card]:
    """Cards in the settings' order, each with its first picture only: a transfer run has many."""
    order = {name: number for number, name in enumerate(SETTINGS)}
    ranked = sorted(found, key=lambda card: (order.get(card.stage.split("/")[0], len(order)), card.stage))
    return [card._replace(images=card.images[:1]) for card in ranked]


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
    found.filters |= {"rivals_of_seeds": rivals_of_seeds, "signed": signed, "bounds": bounds, "bare_p": bare_p}
    return found


def _versions(stages: Sequence[Stage]) -> list[tuple[str, str]]:
    found: dict[str, set[str]] = {}
    for stage in stages:
        versions: Mapping[str, Any] = stage.fact.get("versions", {})
        for name, version in versions.items():
            found.setdefault(name, set()).add(str(version))
    return [(name, ", ".join(sorted(values))) for name, values in sorted(found.items())]
