"""A task and a running scene in; named reward terms in [0, 1], the reward and the progress out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from sim_finetune.predicates import AllOf, AnyPredicate, Predicate, SceneView, mean
from sim_finetune.stages import Advance

if TYPE_CHECKING:
    from sim_finetune.spec import TaskSpec


class RewardTerm(BaseModel):
    """A named part of the reward: the progress of a statement, with a weight against the other terms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    term: AnyPredicate
    weight: Annotated[float, Field(gt=0, le=10)]


class Score(NamedTuple):
    """How a task stands, each part in [0, 1]. stages, parts: of the stages and of the goal, one by one."""

    stages: list[float]
    parts: list[float]
    progress: float
    goal: float


def score(spec: "TaskSpec", now: Advance, view: SceneView) -> Score:
    """Progress of each stage (completed 1, not begun 0) and each part of the goal; of the whole: their mean, in which
    a stage has its weight and the goal 1.
    """
    stages = [_stage(spec, number, now, view) for number in range(len(spec.stages))]
    parts = [_clipped(part, view) for part in _parts(spec.goal)]
    goal = mean(parts)
    if not stages:
        return Score(stages, parts, goal, goal)
    weights = [*(stage.weight for stage in spec.stages), 1.0]
    return Score(stages, parts, _average([*stages, goal], weights), goal)


def _average(values: list[float], weights: list[float]) -> float:
    """To the bit what np.average gives, in a fifth of its time."""
    return float(np.add.reduce(np.multiply(values, weights)) / np.add.reduce(weights))


def _parts(goal: Any) -> tuple[Any, ...]:
    return goal.parts if isinstance(goal, AllOf) else (goal,)


def reward_terms(spec: "TaskSpec", scored: Score, view: SceneView) -> dict[str, float]:
    """{name: in [0, 1]}: the terms that the task writes, or one for each stage and each part of its goal."""
    if spec.rewards:
        return {term.name: _clipped(term.term, view) for term in spec.rewards}
    stages = {f"stage_{number}": value for number, value in enumerate(scored.stages)}
    named = zip(_parts(spec.goal), scored.parts, strict=True)
    return stages | {f"goal_{number}_{part.kind}": value for number, (part, value) in enumerate(named)}


def reward(spec: "TaskSpec", terms: Mapping[str, float], progress: float) -> float:
    """In [0, 1]: the written terms' mean by weight, or the progress when the task writes none."""
    if not spec.rewards:
        return progress
    return _average([terms[term.name] for term in spec.rewards], [term.weight for term in spec.rewards])


def _stage(spec: "TaskSpec", number: int, now: Advance, view: SceneView) -> float:
    if number == now.done:
        return _clipped(spec.stages[number].goal, view)
    return float(number < now.done)


def _clipped(predicate: Predicate, view: SceneView) -> float:
    return min(max(predicate.progress(view), 0.0), 1.0)
