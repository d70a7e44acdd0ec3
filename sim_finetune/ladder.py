"""The text of a proposed task in; a verdict out: the rung that refused it and why, or none. Fails closed."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import mujoco
from rich.table import Table

from sim_finetune import rungs_sim, rungs_text
from sim_finetune.episode import Studio
from sim_finetune.rungs_text import Candidate

RUNGS: dict[str, Callable[..., Candidate]] = {
    "R0_text": rungs_text.text,
    "R1_schema": rungs_text.schema,
    "R2_names": rungs_text.names,
    "R3_compiles": rungs_text.compiles,
    "R4_settles": rungs_sim.settles,
    "R5_visible": rungs_sim.visible,
    "R6_not_solved": rungs_sim.not_solved,
    "R7_reachable": rungs_sim.reachable,
    "R8_oracle": rungs_sim.oracle,
}
SOLVING = "R8_oracle"  # a task refused only here is valid, and kept for reinforcement learning
PASSED = "accepted"


class Verdict(NamedTuple):
    """rung: where it was refused, or "accepted"; reason: one line, or "" ; spec: canonical JSON once it had one."""

    rung: str
    reason: str
    task: str
    spec: str


def climb(proposal: str, *, settings: Mapping[str, Mapping[str, Any]], studio: Studio, first_seed: int) -> Verdict:
    """Take one proposal up the rungs; `settings` has the keyword arguments of each rung, by its name.

    Any error at a rung, MuJoCo's too, is a refusal at that rung: nothing is accepted by accident.
    """
    check_settings(settings)
    candidate = Candidate(proposal, None, studio, first_seed)
    for name, rung in RUNGS.items():
        try:
            candidate = rung(candidate, **settings[name])
        except (ValueError, mujoco.FatalError) as error:
            return _verdict(name, " ".join(str(error).split()), candidate)
    return _verdict(PASSED, "", candidate)


def _verdict(rung: str, reason: str, candidate: Candidate) -> Verdict:
    spec = candidate.spec
    return Verdict(rung, reason, spec.hash if spec else "", spec.model_dump_json() if spec else candidate.text[:2000])


def check_settings(settings: Mapping[str, Any]) -> None:
    """ValueError unless every rung, and nothing else, has settings: a rung cannot be left out by a typing error."""
    if set(settings) != set(RUNGS):
        raise ValueError(f"the ladder needs settings for exactly {list(RUNGS)}; got {list(settings)}")


def funnel(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """How many proposals reached each rung, in order, and how many were accepted in the end."""
    names = [*RUNGS, PASSED]
    reached = dict.fromkeys(names, 0)
    for verdict in verdicts:
        for name in names[: names.index(verdict.rung) + 1]:
            reached[name] += 1
    return reached


def funnel_table(reached: Mapping[str, int]) -> Table:
    """The funnel as a table: reached, refused, share of all proposals still in."""
    table = Table("rung", "reached", "refused", "share", title="validation ladder")
    names = list(reached)
    total = max(reached[names[0]], 1)
    for name, following in zip(names, [*names[1:], names[-1]], strict=True):
        table.add_row(name, str(reached[name]), str(reached[name] - reached[following]), f"{reached[name] / total:.0%}")
    return table
