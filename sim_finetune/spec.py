"""A task as data; in: JSON or a mapping; out: a frozen TaskSpec whose names all bind, or one line of what is wrong."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sim_finetune.bind import check_names
from sim_finetune.objects import AnyObject, SceneObject
from sim_finetune.placement import Layout
from sim_finetune.predicates import AnyPredicate, Predicate, every
from sim_finetune.randomise import Randomise
from sim_finetune.rewards import RewardTerm
from sim_finetune.stages import SkillCall, Stage
from sim_finetune.values import has_values, resolve

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Text = Annotated[str, Field(max_length=200)]


class Provenance(BaseModel):
    """Where a task came from; no part of its identity. parents: hashes; versions: of packages, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    proposer: Text = ""
    model: Text = ""
    prompt_hash: Text = ""
    parents: Annotated[tuple[Text, ...], Field(max_length=16)] = ()
    versions: Annotated[dict[Text, Text], Field(max_length=16)] = {}


class TaskSpec(BaseModel):
    """One task: what stands on the table, what shall become true, and how a person says so.

    family: the group in result tables; goal, hold_s: success = every stage was done and the goal holds without a break
    for hold_s [s]; instructions: templates, `{name}` becomes the words of that object; a reset draws one by its seed;
    clearance_m: least free space between any two objects at the start [m]; layouts: objects that start in a pattern;
    stages: steps that must be taken in order; rewards: terms instead of the derived ones; oracle: hints for the expert;
    randomise: what a reset may change beside the places; missing_primitives: what a proposer could not say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    name: Name
    family: Name
    objects: Annotated[tuple[AnyObject, ...], Field(min_length=1, max_length=16)]
    goal: AnyPredicate
    hold_s: Annotated[float, Field(ge=0, le=5)]
    instructions: Annotated[tuple[str, ...], Field(min_length=1, max_length=32)]
    clearance_m: Annotated[float, Field(ge=0, le=0.2)]
    layouts: Annotated[tuple[Layout, ...], Field(max_length=8)] = ()
    stages: Annotated[tuple[Stage, ...], Field(max_length=16)] = ()
    rewards: Annotated[tuple[RewardTerm, ...], Field(max_length=16)] = ()
    oracle: Annotated[tuple[SkillCall, ...], Field(max_length=64)] = ()
    randomise: Randomise | None = None
    provenance: Provenance = Provenance()
    missing_primitives: Annotated[tuple[Text, ...], Field(max_length=16)] = ()

    @model_validator(mode="after")
    def _names_bind(self) -> Self:
        check_names(self)
        return self

    def object(self, name: str) -> Any:
        """The object called `name`; ValueError lists the names when there is none."""
        for thing in self.objects:
            if thing.name == name:
                return thing
        raise ValueError(f"no object {name!r}; this task has {[thing.name for thing in self.objects]}")

    def goal_objects(self) -> list[SceneObject]:
        """The objects that the stages and the goal are about, each once, in their order; not what is to be left alone."""
        parts = [part for goal in self.goals() for part in every(goal) if part.said and not part.inner()]
        return [self.object(name) for name in dict.fromkeys(name for part in parts for name, _ in part.names())]

    def goals(self) -> list[Predicate]:
        """What shall become true, in order: the stages' goals, then the final one."""
        return [*(stage.goal for stage in self.stages), self.goal]

    def statements(self) -> list[Predicate]:
        """Everything of which the environment asks whether it holds: the goals, and what the written rewards measure."""
        return [*self.goals(), *(term.term for term in self.rewards)]

    def instruction(self, index: int) -> str:
        """Template `index` with the objects' words filled in: "reach the red block"."""
        return self.instructions[index].format_map({thing.name: thing.words for thing in self.objects})

    @property
    def hash(self) -> str:
        """16 hex digits over the canonical JSON: the task's identity in a library."""
        # v1 has no defaults, so fields that came later count only once they are used: old tasks keep their hash
        document = self.model_dump(mode="json", exclude_defaults=True, exclude={"provenance", "missing_primitives"})
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_spec(source: str | bytes | Mapping[str, Any], seed: int | None = None) -> TaskSpec:
    """TaskSpec from JSON text or a mapping; ValueError of one line names each field at fault and what it may be.

    A document with drawn values (see values.py) is a family of tasks: each seed is one of them.
    """
    if (family := _family(source)) is not None:
        if seed is None:
            raise ValueError("not a task spec: it has values to draw; a seed makes it one")
        source = resolve(family, np.random.default_rng(seed))
    try:
        if isinstance(source, (str, bytes)):
            return TaskSpec.model_validate_json(source)
        return TaskSpec.model_validate(source)
    except ValidationError as error:
        faults = [_fault(fault) for fault in error.errors()]
        raise ValueError("not a task spec: " + "; ".join(faults)) from None


def _family(source: str | bytes | Mapping[str, Any]) -> Any:
    """The document when it has values to draw; None when it is literal, or no JSON (which pydantic says better)."""
    try:
        document = json.loads(source) if isinstance(source, (str, bytes)) else source
    except (ValueError, RecursionError):
        return None
    return document if has_values(document) else None


def _fault(fault: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "task"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {message}"


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a task file, for editors and for constrained decoding."""
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **TaskSpec.model_json_schema()}
