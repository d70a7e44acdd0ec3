"""A task and a running scene in; named reward terms in [0, 1], the reward and the progress out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from sim_finetune.predicates import AllOf, AnyPredicate, Predicate, SceneView
from sim_finetune.stages import Advance

if TYPE_CHECKING:
    from sim_finetune.spec import TaskSpec


class RewardTerm(BaseModel):
    """A named part of the reward: the progress of a statement, with a weight against the other terms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    term: AnyPredicate
    weight: Annotated[float, Field(gt=0, le=10)]


def reward_terms(spec: "TaskSpec", now: Advance, view: SceneView) -> dict[str, float]:
    """{name: progress in [0, 1]}: the terms that the task writes, or one for each stage and each part of its goal.

    A completed stage counts 1, one that has not begun 0.
    """
    if spec.rewards:
        return {term.name: _clipped(term.term, view) for term in spec.rewards}
    stages = {f"stage_{number}": _stage(spec, number, now, view) for number in range(len(spec.stages))}
    parts = spec.goal.parts if isinstance(spec.goal, AllOf) else (spec.goal,)
    return stages | {f"goal_{number}_{part.kind}": _clipped(part, view) for number, part in enumerate(parts)}


def progress(spec: "TaskSpec", now: Advance, view: SceneView) -> float:
    """How far the task has come, in [0, 1]: mean of the stages, by weight, and the final goal, which weighs 1."""
    values = [_stage(spec, number, now, view) for number in range(len(spec.stages))]
    weights = [stage.weight for stage in spec.stages]
    return float(np.average([*values, _clipped(spec.goal, view)], weights=[*weights, 1.0]))


def reward(spec: "TaskSpec", terms: Mapping[str, float], progress: float) -> float:
    """In [0, 1]: the written terms' mean by weight, or the progress when the task writes none."""
    if not spec.rewards:
        return progress
    return float(
        np.average([terms[term.name] for term in spec.rewards], weights=[term.weight for term in spec.rewards])
    )


def _stage(spec: "TaskSpec", number: int, now: Advance, view: SceneView) -> float:
    if number == now.done:
        return _clipped(spec.stages[number].goal, view)
    return float(number < now.done)


def _clipped(predicate: Predicate, view: SceneView) -> float:
    return float(np.clip(predicate.progress(view), 0, 1))
