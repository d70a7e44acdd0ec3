"""Stages in → the report cards of latent actions: the verdict first, then what it stands on, as records for the template."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from lapa.report_gather import Stage, data_uri
from lapa.report_plots import Bar, probe_svg

CODES, SEEN, BLIND = "codes", "seen", "blind"  # what a probe reads: the codes, what can be seen of the pair, neither
PROBES = {  # entries of quality.json's "probe": in words, and what kind
    "codes_linear": ("codes, linear probe", CODES),
    "codes_mlp": ("codes, small MLP", CODES),
    "codes_and_state": ("codes and state, small MLP", CODES),
    "latents_linear": ("latents before quantisation, linear", SEEN),
    "latents_mlp": ("latents before quantisation, small MLP", SEEN),
    "untrained": ("codes of an untrained encoder, linear", SEEN),
    "flow_field": ("flow of all patches, linear", SEEN),
    "frame_difference": ("difference of the frames, linear", SEEN),
    "dense_motion": ("flow and difference, linear", SEEN),
    "both_frames": ("both frames", SEEN),
    "state_only": ("body's state alone", BLIND),
    "first_frame": ("first frame alone", BLIND),
    "next_frame": ("next frame alone", BLIND),
    "shuffled": ("shuffled codes", BLIND),
}
NEEDED = ("perplexity", "codes_used", "num_codes", "good_enough", "verdict", "table", "probe", "interval", "probe_of")
NO_CARD = "no card yet; lapa label makes one, from clips and this quantizer"
TRAINED = "QuantizerModule"  # the record of a quantizer's training
PICTURES = ("strips", "swaps", "codes")  # in this order


class Card(NamedTuple):
    """One quantizer's card: the verdict's lines, the table's rows, bars of probes, pictures by name."""

    stage: str
    perplexity: float
    codes_used: int
    num_codes: int
    good_enough: bool
    lines: list[str]
    table: list[dict[str, Any]]
    probe_of: str
    plot: Markup | None
    images: list[tuple[str, str]]


def cards(stages: Sequence[Stage]) -> list[Card]:
    """The card of every stage that measured one, as far as it is of this version."""
    return [_card(stage, stage.card) for stage in stages if stage.card is not None and not _lacking(stage)]


def missing_cards(stages: Sequence[Stage]) -> list[tuple[str, str]]:
    """(stage, why) of what should have a card here and has none: quantizers that nothing labelled with, old labels."""
    judged = {source for stage in stages if stage.card is not None for source in stage.sources}
    trained = [stage.name for stage in stages if stage.fact.get("record") == TRAINED]
    unlabelled = [(name, NO_CARD) for name in trained if name not in judged]
    old = [(stage.name, f"quality.json lacks {', '.join(_lacking(stage))}, it is another version's; label again for a card")
           for stage in stages if _lacking(stage)]  # fmt: skip
    return unlabelled + old


def _lacking(stage: Stage) -> list[str]:
    return [name for name in NEEDED if stage.card is not None and name not in stage.card]


def _card(stage: Stage, found: Mapping[str, Any]) -> Card:
    bars = _bars(found["probe"] or {}, found["interval"] or {})
    images = [(name, data_uri(stage.images[name])) for name in PICTURES if name in stage.images]
    return Card(
        stage.name, float(found["perplexity"]), int(found["codes_used"]), int(found["num_codes"]), bool(found["good_enough"]),
        [str(line) for line in found["verdict"]], list(found["table"]), str(found["probe_of"]),
        Markup(probe_svg(bars)) if bars else None, images,
    )  # fmt: skip


def _bars(scores: Mapping[str, float], intervals: Mapping[str, Sequence[float]]) -> list[Bar]:
    """Known probes in PROBES' order; a name from another version stands last, as it is."""
    names = sorted(scores, key=lambda name: (list(PROBES).index(name) if name in PROBES else len(PROBES), name))
    words = {name: PROBES.get(name, (name.replace("_", " "), BLIND)) for name in names}
    return [Bar(words[name][0], float(scores[name]), words[name][1], intervals.get(name)) for name in names]
