"""A task spec in, the skills that bring its goal about out, in an order in which none undoes what another did."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sim_finetune.predicates import Predicate
from sim_finetune.skills.base import Step
from sim_finetune.spec import TaskSpec

MOTIONS = {"slide": "pull_joint", "hinge": "pull_joint", "turn": "turn_joint", "press": "press", "flip": "press"}
FITTING = ("fixture", "kit")  # kinds that things are fitted into


class Part(NamedTuple):
    """Something to bring about. steps: how; none when it is only to be kept.

    stays: the hand has to stay there for it to hold.
    """

    want: Any
    steps: tuple[Step, ...]
    stays: bool = False

    @property
    def moves(self) -> str:
        """The object that the part moves, "" when none."""
        return self.steps[-1].object if self.steps else ""

    @property
    def needs(self) -> set[str]:
        """Objects that must not be moved afterwards, or have to be open before."""
        return {step.target for step in self.steps if step.target} - {self.moves}


def plan(spec: TaskSpec) -> list[Step]:
    """The steps of all parts in order; ValueError names the statement that no skill brings about."""
    return [step for part in parts(spec, spec.goal) for step in part.steps]


def parts(spec: TaskSpec, goal: Predicate) -> list[Part]:
    """What has to be brought about for a goal, in order: supports before what stands on them, staying last."""
    return in_order(_parts(spec, goal))


def _parts(spec: TaskSpec, goal: Any) -> list[Part]:
    if goal.kind not in PLANNERS:
        raise ValueError(f"{spec.name}: no skill brings about {goal.kind!r}; there are plans for {sorted(PLANNERS)}")
    return PLANNERS[goal.kind](spec, goal)


def in_order(unordered: list[Part]) -> list[Part]:
    """Each part after those that move what it needs; in the given order otherwise, parts that stay at the end."""
    left, ordered = sorted(unordered, key=lambda part: part.stays), []
    while left:
        free = [part for part in left if not part.needs & {other.moves for other in left if other is not part}]
        ordered.append(free[0] if free else left[0])  # in a circle, as written
        left.remove(ordered[-1])
    return ordered


def _steps(want: Any, *calls: tuple[str, str, str | None]) -> tuple[Step, ...]:
    return tuple(Step(skill, thing, target, None, want) for skill, thing, target in calls)


def _put(spec: TaskSpec, goal: Any, thing: str, target: str | None) -> Part:
    """Take a thing and set it down, or fit it in; push it when it cannot be grasped."""
    if not _graspable(spec, thing):
        return Part(goal, _steps(goal, ("push", thing, target)))
    down = "insert" if target and spec.object(target).kind in FITTING else "place"
    return Part(goal, _steps(goal, ("grasp", thing, None), (down, thing, target)))


def _graspable(spec: TaskSpec, name: str) -> bool:
    return hasattr(spec.object(name), "grasp_width_m")


def _keep(spec: TaskSpec, goal: Any) -> list[Part]:
    """True from the start, or as soon as the hand lets go and retreats."""
    return [Part(goal, ())]


def _reach(spec: TaskSpec, goal: Any) -> list[Part]:
    return [Part(goal, _steps(goal, ("reach", goal.object, None)), stays=True)]


def _on_top(spec: TaskSpec, goal: Any) -> list[Part]:
    return [_put(spec, goal, goal.object, goal.support)]


def _in_zone(spec: TaskSpec, goal: Any) -> list[Part]:
    return [Part(goal, _steps(goal, ("push", goal.object, goal.zone)))]


def _joint(spec: TaskSpec, goal: Any) -> list[Part]:
    return [Part(goal, _steps(goal, (MOTIONS[spec.object(goal.object).motion], goal.object, None)))]


def _all(spec: TaskSpec, goal: Any) -> list[Part]:
    return [part for each in goal.parts for part in _parts(spec, each)]


PLANNERS: dict[str, Callable[[TaskSpec, Any], list[Part]]] = {
    "all": _all,
    "in_zone": _in_zone,
    "joint_fraction": _joint,
    "on_top": _on_top,
    "released": _keep,
    "tool_near": _reach,
}
