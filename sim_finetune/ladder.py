"""The text of a proposed task in; a verdict out: the rung that refused it and why, or none, and what each rung measured."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import mujoco
from rich.table import Table

from sim_finetune import rungs_proof, rungs_sim, rungs_text
from sim_finetune.episode import Studio
from sim_finetune.novelty import Signature
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
    "R8_oracle": rungs_proof.oracle,
    "R9_mutants": rungs_proof.mutated,
    "R10_novelty": rungs_proof.novel,
    "R11_replay": rungs_proof.replayed,
    "R12_learnable": rungs_proof.learnable,
}
NOVELTY, SOLVING = "R10_novelty", "R8_oracle"  # a task refused only here is valid, and kept for reinforcement learning
PASSED = "accepted"
BROKEN = "the rung itself failed:"  # how the reason begins when the fault is ours
MOST_KEPT = 2000  # letters of a text that is no task


class Verdict(NamedTuple):
    """rung: where it was refused, or "accepted"; reason: one line, or "" ; spec: canonical JSON once it had one;
    facts: what each rung it passed has measured, by the rung's name.
    """

    rung: str
    reason: str
    task: str
    spec: str
    facts: dict[str, Any]


def climb(
    proposal: str,
    *,
    settings: Mapping[str, Mapping[str, Any]],
    studio: Studio,
    first_seed: int,
    known: Sequence[Signature] = (),
) -> Verdict:
    """Take one proposal up the rungs; `settings` has the keyword arguments of each rung, by its name; `known` are tasks
    that it must not repeat.

    Fails closed: whatever error a rung raises, MuJoCo's and our own too, is a refusal at that rung.
    """
    check_settings(settings)
    candidate = Candidate(proposal, None, studio, first_seed, tuple(known), (), {})
    facts: dict[str, Any] = {}
    for name, rung in RUNGS.items():
        try:
            candidate = rung(candidate._replace(facts={}), **settings[name])
        except (ValueError, mujoco.FatalError) as error:
            return _verdict(name, _line(error), candidate, facts)
        except Exception as error:  # ours to mend, but one such proposal must not end a run over thousands
            return _verdict(name, f"{BROKEN} {type(error).__name__}: {_line(error)}", candidate, facts)
        facts[name] = candidate.facts
    return _verdict(PASSED, "", candidate, facts)


def _line(error: Exception) -> str:
    """The message as one line that a terminal can be shown: it may quote what a text from outside holds."""
    words = " ".join(str(error).split())
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in words)[:MOST_KEPT]


def _verdict(rung: str, reason: str, candidate: Candidate, facts: dict[str, Any]) -> Verdict:
    spec = candidate.spec
    text = spec.model_dump_json() if spec else candidate.text[:MOST_KEPT]
    return Verdict(rung, reason, spec.hash if spec else "", text, facts)


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
