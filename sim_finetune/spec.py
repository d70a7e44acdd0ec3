"""A task as data; in: JSON or a mapping; out: a frozen TaskSpec whose names all bind, or one line of what is wrong."""

import hashlib
import json
from collections.abc import Mapping
from string import Formatter
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from sim_finetune.objects import AnyObject, SceneObject
from sim_finetune.predicates import AnyPredicate

Family = Literal["reach", "push_to_zone", "pick_and_place", "open_drawer"]


class TaskSpec(BaseModel):
    """One task: what stands on the table, what shall become true, and how a person says so.

    family: which of the oracle's skills does it, and the group in result tables;
    goal, hold_s: success = the goal holds without a break for hold_s [s];
    instructions: templates, `{name}` becomes the words of that object; a reset draws one by its seed;
    clearance_m: least free space between any two objects at the start [m].
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    family: Family
    objects: Annotated[tuple[AnyObject, ...], Field(min_length=1, max_length=16)]
    goal: AnyPredicate
    hold_s: Annotated[float, Field(ge=0, le=5)]
    instructions: Annotated[tuple[str, ...], Field(min_length=1, max_length=32)]
    clearance_m: Annotated[float, Field(ge=0, le=0.2)]

    @model_validator(mode="after")
    def _names_bind(self) -> Self:
        names = [thing.name for thing in self.objects]
        if len(set(names)) < len(names):
            raise ValueError(f"two objects share a name: {names}")
        for name, kinds in self.goal.names():
            kind = self.object(name).kind
            if kinds and kind not in kinds:
                raise ValueError(f"the goal needs {name!r} to be one of {list(kinds)}; it is a {kind}")
        for template in self.instructions:
            self._check_template(template)
        return self

    def _check_template(self, template: str) -> None:
        for _, field, _, _ in Formatter().parse(template):
            if field is not None:
                self.object(field)

    def object(self, name: str) -> Any:
        """The object called `name`; ValueError lists the names when there is none."""
        for thing in self.objects:
            if thing.name == name:
                return thing
        raise ValueError(f"no object {name!r}; this task has {[thing.name for thing in self.objects]}")

    def goal_objects(self) -> list[SceneObject]:
        """The objects the goal is about, each once, in the goal's order."""
        return [self.object(name) for name in dict.fromkeys(name for name, _ in self.goal.names())]

    def instruction(self, index: int) -> str:
        """Template `index` with the objects' words filled in: "reach the red block"."""
        return self.instructions[index].format_map({thing.name: thing.words for thing in self.objects})

    @property
    def hash(self) -> str:
        """16 hex digits over the canonical JSON: the task's identity in a library."""
        # v1 has no defaults, so fields that came later count only once they are used: old tasks keep their hash
        document = self.model_dump(mode="json", exclude_defaults=True)
        text = json.dumps(document, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_spec(source: str | bytes | Mapping[str, Any]) -> TaskSpec:
    """TaskSpec from JSON text or a mapping; ValueError of one line names each field at fault and what it may be."""
    try:
        if isinstance(source, (str, bytes)):
            return TaskSpec.model_validate_json(source)
        return TaskSpec.model_validate(source)
    except ValidationError as error:
        faults = [_fault(fault) for fault in error.errors()]
        raise ValueError("not a task spec: " + "; ".join(faults)) from None


def _fault(fault: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "task"
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {message}"
