"""A language model in, texts of tasks out; it sees what was accepted, why others were refused, and mends its own."""

import json
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sim_finetune.catalogue import Row, read_catalogue
from sim_finetune.ladder import PASSED, Verdict
from sim_finetune.language_models import LanguageModel, Message
from sim_finetune.library import load_library
from sim_finetune.proposers.asking import Talk, prompt_hash
from sim_finetune.proposers.memory import Memory
from sim_finetune.spec import read_spec
from sim_finetune.wire import from_wire, parse, wire_schema


class Limits(NamedTuple):
    """repairs: tries to mend a refused task; patience: replies in a row without a new task before it ends, and refused
    tasks before a curriculum goes on; reflect_every: refusals between two reflections (0: none); examples, faults: how
    many are shown; max_bytes: of a reply; max_told: characters of an idea or a lesson that are kept.
    """

    repairs: int
    patience: int
    reflect_every: int
    examples: int
    faults: int
    max_bytes: int
    max_told: int


class Draft(NamedTuple):
    """A reply to be judged. said: its wire form, or the bare text when it is none; fault: why the wire form is none."""

    dialogue: list[Message]
    said: Row | str
    text: str  # for the ladder
    fault: str
    repairs: int  # before it


class Author:
    """Proposes until `count` texts are out, or the model says nothing new any more, or the target is reached.

    target: "" grows from what is accepted (bottom-up); else a task in words, approached by simpler ones (top-down);
    library: folder of tasks to begin with, or ""; transcript: file for every reply, begun anew, or "".
    """

    def __init__(
        self, *, model: LanguageModel, catalogue: Mapping[str, Any], prompts: Mapping[str, Any], limits: Mapping[str, int],
        target: str, library: str, transcript: str, count: int, seed: int,
    ):  # fmt: skip
        self.catalogue, self.limits = read_catalogue(catalogue), Limits(**limits)
        self.count, self.target = count, target
        self.talk = Talk(
            model=model, prompts=prompts, catalogue=self.catalogue, transcript=transcript, seed=seed,
            max_told=self.limits.max_told,
        )  # fmt: skip
        self._schema, self.memory = wire_schema(self.catalogue), Memory()
        self.memory.start_from(load_library(Path(library)) if library else [], self.catalogue)
        self._waiting, self._to_mend = deque[Draft](), deque[tuple[Draft, str]]()
        self._steps: list[str] = []
        self._refused_here = 0

    def proposals(self) -> Iterator[str]:
        """Texts for the ladder, which is to `learn` of each verdict. A reply that repeats an earlier one is not told."""
        self._steps, proposed, stale = self._curriculum(), 0, 0
        while proposed < self.count and stale < self.limits.patience and (self._steps or not self.target):
            draft = self._draft()
            if not self.memory.admit(draft.said):
                self.memory.note(draft.said, "this was proposed before")
                stale += 1
                continue
            proposed, stale = proposed + 1, 0
            self._waiting.append(draft)
            yield draft.text

    def learn(self, verdict: Verdict) -> None:
        """The verdict on the oldest proposal that has none: it is remembered, and mended next when it was refused."""
        draft = self._waiting.popleft()
        fault = "" if verdict.rung == PASSED else draft.fault or f"{verdict.rung}: {verdict.reason}"
        if isinstance(draft.said, str) and not fault:  # a whole spec instead of its wire form, and a good one
            self.memory.start_from([read_spec(verdict.spec)], self.catalogue)
        else:
            self.memory.note(draft.said, fault)
        self._go_on(fault)
        if fault and draft.repairs < self.limits.repairs:
            self._to_mend.append((draft, fault))
        every = self.limits.reflect_every
        if fault and every and len(self.memory.refused) % every == 0:
            self.memory.lessons = self.talk.reflect(self.memory, faults=self.limits.faults)

    def _go_on(self, fault: str) -> None:
        """A curriculum's next step, once one was accepted or too many were refused."""
        self._refused_here = self._refused_here + 1 if fault else 0
        if self._steps and (not fault or self._refused_here >= self.limits.patience):
            self._steps.pop(0)
            self._refused_here = 0

    def _curriculum(self) -> list[str]:
        """Simpler tasks, then the target itself; ValueError when the model gives none in `patience` tries."""
        for _ in range(self.limits.patience if self.target else 0):
            try:
                steps = parse(self.talk.curriculum(self.target), max_bytes=self.limits.max_bytes).get("steps")
            except ValueError:  # prose, or half of one: asked again
                continue
            if isinstance(steps, list) and steps and all(isinstance(step, str) for step in steps):
                return [*(step[: self.limits.max_told] for step in steps), self.target]
        if self.target:
            raise ValueError(f"{self.talk.model.name} gave no curriculum for {self.target!r}")
        return []

    def _draft(self) -> Draft:
        """A refused task mended, or a new one."""
        limits = self.limits
        if self._to_mend:
            refused, fault = self._to_mend.popleft()
            said = refused.said if isinstance(refused.said, str) else json.dumps(refused.said, separators=(",", ":"))
            return self._ask(self.talk.mend(refused.dialogue, said, fault[: limits.max_told]), refused.repairs + 1)
        aim = self._steps[0] if self._steps else self.talk.prompts.aim
        return self._ask(self.talk.open(aim, self.memory, examples=limits.examples, faults=limits.faults), 0)

    def _ask(self, dialogue: list[Message], repairs: int) -> Draft:
        text = self.talk.ask(dialogue, self._schema)[: self.limits.max_bytes]
        try:
            wire = parse(text, max_bytes=self.limits.max_bytes)
            document = from_wire(wire, self.catalogue)
        except ValueError as error:
            return Draft(dialogue, text, text, f"R1_schema: {error}", repairs)  # the ladder counts it as it is
        provenance = {"proposer": "llm", "model": self.talk.model.name[:200], "prompt_hash": prompt_hash(dialogue)}
        return Draft(dialogue, wire, json.dumps(document | {"provenance": provenance}), "", repairs)
