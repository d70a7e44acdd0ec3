"""Stages of a transfer run in → the chain beside each result: codes → latent policy → policy → closed loop."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lapa.report_gather import Stage
from lapa.report_transfer import Result, SettingTable

PROBE, SEEN = "codes_mlp", "dense_motion"  # entries of quality.json's "probe"


class Link(NamedTuple):
    """One stage's measure: `value` in [0, 1] for the meter, None where it was not measured; `text` and `beside` in words."""

    value: float | None
    text: str
    beside: str


class Chain(NamedTuple):
    """One setting's links, in the order of LINKS."""

    title: str
    links: list[Link]


LINKS = ("codes → true motion, R²", "latent policy: codes right", "policy: error of actions, σ", "closed loop")
UNMEASURED = Link(None, "", "")


def chains(stages: Sequence[Stage], tables: Sequence[SettingTable], arm: str) -> list[Chain]:
    """Every setting of which at least one link was measured."""
    named = {stage.name: stage for stage in stages}
    policies = [f"{table.name}/policy_{arm}".lstrip("/") for table in tables]  # of the run's own folder: no "/"
    found = [
        Chain(
            table.title,
            [
                codes_link(behind(policy, "codes", named)),
                latents_link(behind(policy, "latent_policy", named)),
                actions_link(named.get(policy)),
                loop_link(table.result(arm)),
            ],
        )
        for table, policy in zip(tables, policies, strict=True)
    ]
    return [chain for chain in found if any(link.text for link in chain.links[:3])]


def behind(policy: str, wanted: str, named: Mapping[str, Stage]) -> Stage | None:
    """The stage called `wanted` beside `policy`, else the one that it was made from: settings share what they have in common."""
    beside = named.get(f"{policy.rpartition('/')[0]}/{wanted}".lstrip("/"))
    return beside or _source(policy, wanted, named)


def _source(name: str, wanted: str, named: Mapping[str, Stage]) -> Stage | None:
    stage = named.get(name)
    if stage is None or name.rpartition("/")[2] == wanted:
        return stage
    return next((found for source in stage.sources if (found := _source(source, wanted, named))), None)


def codes_link(stage: Stage | None) -> Link:
    """What a small MLP reads of the true motion from the codes (R²), beside what can be read from the pictures themselves."""
    probe = ((stage.card if stage else None) or {}).get("probe") or {}
    if PROBE not in probe:
        return UNMEASURED
    beside = f"{probe[SEEN]:.2f} from flow and pixels" if SEEN in probe else ""
    return Link(max(float(probe[PROBE]), 0.0), f"{probe[PROBE]:.2f}", beside)


def latents_link(stage: Stage | None) -> Link:
    """Codes foretold right on held-out clips, beside always guessing each slot's most frequent code."""
    final = (stage.fact if stage else {}).get("final", {})
    if "val/accuracy" not in final:
        return UNMEASURED
    beside = f"{100 * final['val/majority']:.0f}\u00a0% by guessing" if "val/majority" in final else ""
    return Link(float(final["val/accuracy"]), f"{100 * final['val/accuracy']:.0f}\u00a0%", beside)


def actions_link(stage: Stage | None) -> Link:
    """Error on held-out demonstrations beside that of always doing their mean; the meter shows how much less it is."""
    final = (stage.fact if stage else {}).get("final", {})
    if not {"val/loss", "val/mean_error"} <= final.keys():
        return UNMEASURED
    error, blind = float(final["val/loss"]), float(final["val/mean_error"])
    return Link(min(max(1 - error / blind, 0.0), 1.0), f"{error:.2f}", f"{blind:.2f} by the mean action")


def loop_link(result: Result | None) -> Link:
    """Success in closed loop, beside what the same policy reaches that watched nothing."""
    if result is None:
        return UNMEASURED
    comparison = result.comparison
    beside = f"{100 * comparison.table.rates[1]:.0f}\u00a0% without watching" if comparison else ""
    return Link(result.row.rate, f"{100 * result.row.rate:.0f}\u00a0%", beside)
