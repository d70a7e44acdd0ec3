"""A style of prompts and what was proposed so far in, dialogues with a language model out, every reply written down."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from sim_finetune.catalogue import Catalogue, Row
from sim_finetune.language_models import LanguageModel, Message
from sim_finetune.proposers.memory import Memory
from sim_finetune.statements import glossary

STEP = {"type": "string", "pattern": "^[a-zA-Z0-9 ,.'-]{5,120}$"}
CURRICULUM: Row = {
    "type": "object",
    "properties": {"steps": {"type": "array", "items": STEP, "minItems": 1, "maxItems": 6}},
    "required": ["steps"],
    "additionalProperties": False,
}


class Prompts(NamedTuple):
    """A style of asking. turns: the questions of one proposal, of which the last asks for the task.

    Slots: {kinds} and {statements} in system; {aim}, {names}, {examples}, {faults}, {lessons} in turns; {fault} in
    repair; {faults} in reflection; {target} in curriculum. aim: what to propose when there is no target.
    """

    system: str
    turns: list[str]
    aim: str
    repair: str
    reflection: str
    curriculum: str


class Talk:
    """Asks one model. transcript: file for the replies, begun anew, or ""; max_told: characters of an idea that are kept."""

    def __init__(
        self, *, model: LanguageModel, prompts: Mapping[str, str], catalogue: Catalogue, transcript: str, max_told: int,
        seed: int,
    ):  # fmt: skip
        self.model, self.prompts, self.transcript, self.max_told = model, Prompts(**prompts), transcript, max_told  # type: ignore[arg-type]
        groups = sorted({group for row in catalogue.kinds.values() for group in row["groups"]})
        kinds = "\n".join(f"- {group}: {', '.join(catalogue.group(group))}" for group in groups)
        self._system = Message("system", self.prompts.system.format(kinds=kinds, statements=glossary()))
        self._seed, self._asked = seed, 0
        if transcript and getattr(model, "path", None) == Path(transcript):
            raise ValueError(f"transcript={transcript} is what the model reads its replies from: give another file")

    def ask(self, dialogue: list[Message], schema: Row | None) -> str:
        """The model's next turn; each question has a seed of its own."""
        reply = self.model.reply(dialogue, schema=schema, seed=self._seed + self._asked)
        self._asked += 1
        if self.transcript:
            row = {"model": self.model.name, "prompt_hash": prompt_hash(dialogue), **reply._asdict()}
            with Path(self.transcript).open("w" if self._asked == 1 else "a") as file:  # of this run alone
                file.write(json.dumps(row) + "\n")
        return reply.text

    def open(self, aim: str, memory: Memory, *, examples: int, faults: int) -> list[Message]:
        """A dialogue that ends with the question for a task; earlier turns, if the style has any, are answered in it."""
        slots = {"aim": aim, "names": memory.names() or "none", "lessons": memory.lessons or "none"}
        slots |= {"examples": memory.examples(examples, self._asked), "faults": memory.faults(faults) or "none"}
        dialogue = [self._system]
        for turn in self.prompts.turns[:-1]:
            dialogue.append(Message("user", turn.format(**slots)))
            dialogue.append(Message("assistant", self.ask(dialogue, None)[: self.max_told]))
        return [*dialogue, Message("user", self.prompts.turns[-1].format(**slots))]

    def mend(self, dialogue: list[Message], said: str, fault: str) -> list[Message]:
        """The dialogue with what was said and why it was refused: a question for a better one."""
        return [*dialogue, Message("assistant", said), Message("user", self.prompts.repair.format(fault=fault))]

    def reflect(self, memory: Memory, *, faults: int) -> str:
        """What the refused have in common, in the model's own words, cut to max_told."""
        question = self.prompts.reflection.format(faults=memory.faults(faults))
        return self.ask([self._system, Message("user", question)], None)[: self.max_told]

    def curriculum(self, target: str) -> str:
        """A reply that should hold {"steps": […]}: simpler tasks on the way to the target."""
        return self.ask([self._system, Message("user", self.prompts.curriculum.format(target=target))], CURRICULUM)


def prompt_hash(dialogue: list[Message]) -> str:
    """16 hex digits over a dialogue."""
    return hashlib.sha256(json.dumps(dialogue).encode()).hexdigest()[:16]
