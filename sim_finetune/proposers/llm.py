"""A language model in, texts of tasks out; it sees what was accepted, why others were refused, and may repair its own."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sim_finetune.catalogue import Row, read_catalogue
from sim_finetune.ladder import PASSED, Verdict
from sim_finetune.language_models import LanguageModel, Message, Reply
from sim_finetune.library import load_library
from sim_finetune.proposers.memory import Memory
from sim_finetune.statements import glossary
from sim_finetune.wire import from_wire, parse, wire_schema

STEPS = {"type": "array", "items": {"type": "string", "pattern": "^[a-zA-Z0-9 ,.'-]{5,120}$"}, "minItems": 1, "maxItems": 6}
CURRICULUM = {"type": "object", "properties": {"steps": STEPS}, "required": ["steps"], "additionalProperties": False}


class Prompts(NamedTuple):
    """A style of asking, all texts with {slots}. turns: the questions of one proposal; the last one asks for the task.

    Slots: {kinds}, {statements}, {aim}, {names}, {examples}, {faults}, {lessons}; in repair {fault}, in curriculum {target}.
    """

    system: str
    turns: list[str]
    aim: str  # what to propose when there is no target
    repair: str
    reflection: str
    curriculum: str


class Limits(NamedTuple):
    """repairs: tries to mend a refused task; patience: repeats in a row before it ends, and tasks refused before the
    curriculum goes on; reflect_every: refusals between two reflections; examples, faults: how many are shown;
    max_bytes: of a reply; max_told: characters of an idea or a lesson that are kept.
    """

    repairs: int
    patience: int
    reflect_every: int
    examples: int
    faults: int
    max_bytes: int
    max_told: int


class Author:
    """Proposes until `count` texts are out, or the model only repeats itself, or the target is reached.

    target: "" grows from what is accepted (bottom-up); else a task in words, to be approached by simpler ones (top-down).
    library: folder of tasks to begin with, or ""; transcript: file to append every reply to, or "".
    """

    def __init__(
        self, *, model: LanguageModel, catalogue: Mapping[str, Any], prompts: Mapping[str, Any], limits: Mapping[str, int],
        target: str, library: str, transcript: str, count: int, seed: int,
    ):  # fmt: skip
        self.model, self.catalogue, self.prompts = model, read_catalogue(catalogue), Prompts(**prompts)
        self.limits, self.target, self.transcript = Limits(**limits), target, transcript
        self.count, self.seed = count, seed
        self._schema, self._memory, self._asked = wire_schema(self.catalogue), Memory(), 0
        self._memory.start_from(load_library(Path(library)) if library else [], self.catalogue)
        self._verdict: Verdict | None = None
        self._prompt_hash = ""
