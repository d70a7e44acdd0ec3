"""Steps of a task on the way to its goal, and hints how to take them, as data; in: fields of a task spec."""

from collections.abc import Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from sim_finetune.predicates import AnyPredicate, SceneView

SkillName = Literal[
    "reach", "grasp", "lift", "place", "push", "pull_joint", "turn_joint", "press", "insert", "sweep", "release"
]


class Stage(BaseModel):
    """One step: it is done at the first moment its goal holds, and then the next one begins.

    instruction: how a person asks for it, a template like TaskSpec.instructions; weight: its share of the reward,
    against the other stages and the final goal's 1; timeout_s: the episode is cut when it takes longer [s].
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    goal: AnyPredicate
    instruction: Annotated[str, Field(min_length=1, max_length=200)]
    weight: Annotated[float, Field(gt=0, le=10)]
    timeout_s: Annotated[float, Field(gt=0, le=120)]


class SkillCall(BaseModel):
    """A hint for the oracle: do `skill` to `object`, toward or with `target`, at the site `object/site`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    skill: SkillName
    object: str
    target: str | None = None
    site: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")] | None = None


class Advance(NamedTuple):
    """How far the stages have come. done: stages completed; since_s: simulated time at which the present one began."""

    done: int
    since_s: float


def advance(stages: Sequence[Stage], now: Advance, view: SceneView) -> Advance:
    """At most one stage further: a step counts as taken only after the one before it was."""
    if now.done < len(stages) and stages[now.done].goal.holds(view):
        return Advance(now.done + 1, float(view.data.time))
    return now


def late(stages: Sequence[Stage], now: Advance, view: SceneView) -> bool:
    """Whether the present stage has taken longer than its timeout."""
    return now.done < len(stages) and view.data.time - now.since_s > stages[now.done].timeout_s
