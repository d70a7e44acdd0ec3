"""A task spec in, the skills that bring its goal about out, in an order in which none undoes what another did."""

from collections.abc import Callable
from typing import Any, NamedTuple

from sim_finetune.goals import moved
from sim_finetune.predicates import JointFraction, Predicate, every
from sim_finetune.predicates.sets import LayoutMatches
from sim_finetune.skills.base import Step
from sim_finetune.skills.bridges import bridges
from sim_finetune.skills.where import FITTING, ROPE_ENDS
from sim_finetune.spec import TaskSpec

MOTIONS = {"slide": "pull_joint", "hinge": "pull_joint", "turn": "turn_joint", "press": "press", "flip": "pull_joint"}
ROUND = ("sphere", "capsule")  # nothing stays on them
COVERED = ("cabinet", "microwave")  # their hollows open to the side
PIER_M = 0.01  # how far a bridge's support may be from its place
OPEN = 0.8  # of its range, for things to go into a drawer or under a lid
OPENING, PUTTING, SHUTTING, STAYING = range(4)  # what comes first


class Part(NamedTuple):
    """Something to bring about, want. steps: how; none when it is only to be kept. phase: one of the four above."""

    want: Any
    steps: tuple[Step, ...]
    phase: int

    @property
    def moves(self) -> str:
        """The object that the part moves, "" when none."""
        return self.steps[-1].object if self.steps else ""

    @property
    def needs(self) -> set[str]:
        """Objects that must not be moved afterwards."""
        return {step.target for step in self.steps if step.target} - {self.moves}


def plan(spec: TaskSpec) -> list[Step]:
    """All steps of a task in order; ValueError names the statement that no skill brings about."""
    return [step for stage in stages(spec) for part in stage for step in part.steps]


def stages(spec: TaskSpec) -> list[list[Part]]:
    """What has to be brought about, stage by stage and for the goal: as the task hints, or else derived."""
    goals = [*(stage.goal for stage in spec.stages), spec.goal]
    found = [hinted(spec)] if spec.oracle else [parts(spec, goal) for goal in goals]
    if not any(part.steps for stage in found for part in stage):
        raise ValueError(f"{spec.name}: no skill brings about {spec.goal.kind!r} by itself; it can only be kept")
    return found


def parts(spec: TaskSpec, goal: Predicate) -> list[Part]:
    """What has to be brought about for a goal, in order: supports before what stands on them, staying last."""
    return in_order(_piers(spec, goal) + _parts(spec, goal))


def _piers(spec: TaskSpec, goal: Predicate) -> list[Part]:
    """What a bridge rests on comes as near together as it needs, unless the task itself says where it stands."""
    statements = [inner for each in spec.goals() for inner in every(each) if _moves(inner)]
    placed = {name for statement in statements for name in moved(statement)}
    found: list[Part] = []
    for _, piers, pitch_m in bridges(goal):
        if all(spec.object(name).free for name in piers) and not placed & set(piers):
            near = LayoutMatches(kind="layout_matches", objects=piers, layout="line", pitch_m=pitch_m, within_m=PIER_M)
            found += _several(spec, near)
    return found


def hinted(spec: TaskSpec) -> list[Part]:
    """The task's own calls; each belongs to the first statement about its object (and target), or to the goal."""
    statements = [inner for goal in [*(stage.goal for stage in spec.stages), spec.goal] for inner in every(goal)]
    found = []
    for call in spec.oracle:
        about = {call.object, call.target} - {None}
        wants = [want for want in statements if _moves(want) and about <= {name for name, _ in want.names()}]
        want = wants[0] if wants else spec.goal
        found.append(Part(want, (Step(call.skill, call.object, call.target, call.site, want),), PUTTING))
    return found


def _moves(statement: Predicate) -> bool:
    """Whether something has to be done for a statement that is not made of others."""
    return not statement.inner() and PLANNERS.get(statement.kind) is not _keep


def in_order(unordered: list[Part]) -> list[Part]:
    """By phase, and within one each part after those that move what it needs; in the given order otherwise."""
    left, ordered = sorted(unordered, key=lambda part: part.phase), []
    while left:
        same = [part for part in left if part.phase == left[0].phase]
        free = [part for part in same if not part.needs & {other.moves for other in same if other is not part}]
        ordered.append((free or same)[0])  # in a circle, as written
        left.remove(ordered[-1])
    return ordered


def _parts(spec: TaskSpec, goal: Any) -> list[Part]:
    if goal.kind not in PLANNERS:
        raise ValueError(f"{spec.name}: no skill brings about {goal.kind!r}; there are plans for {sorted(PLANNERS)}")
    return PLANNERS[goal.kind](spec, goal)


def _steps(want: Any, *calls: tuple[str, str, str | None]) -> tuple[Step, ...]:
    return tuple(Step(skill, thing, target, None, want) for skill, thing, target in calls)


def _put(spec: TaskSpec, goal: Any, thing: str, target: str | None) -> Part:
    """Take a thing and set it down, or fit it in; push it when it cannot be grasped. What is shut is opened first."""
    opened = () if target is None else _opened(spec, goal, target)
    if target and goal.kind in ("inside", "assigned") and spec.object(target).kind in COVERED:
        raise ValueError(f"{spec.name}: a hand that comes from above cannot put {thing!r} inside {target!r}")
    if not hasattr(spec.object(thing), "grasp_width_m"):
        return Part(goal, opened + _steps(goal, ("push", thing, target)), PUTTING)
    down = "insert" if target and spec.object(target).kind in FITTING else "place"
    return Part(goal, opened + _steps(goal, ("grasp", thing, None), (down, thing, target)), PUTTING)


def _opened(spec: TaskSpec, goal: Any, target: str) -> tuple[Step, ...]:
    if not hasattr(spec.object(target), "joint_name") or goal.kind not in ("inside", "assigned"):
        return ()
    want = JointFraction(kind="joint_fraction", object=target, at_least=OPEN)
    return _steps(want, (MOTIONS[spec.object(target).motion], target, None))


def _keep(spec: TaskSpec, goal: Any) -> list[Part]:
    """True from the start, or as soon as the hand lets go and retreats."""
    return [Part(goal, (), PUTTING)]


def _reach(spec: TaskSpec, goal: Any) -> list[Part]:
    return [Part(goal, _steps(goal, ("reach", goal.object, None)), STAYING)]


def _grasp(spec: TaskSpec, goal: Any) -> list[Part]:
    return [Part(goal, _steps(goal, ("grasp", goal.object, None)), STAYING)]


def _lift(spec: TaskSpec, goal: Any) -> list[Part]:
    return [Part(goal, _steps(goal, ("grasp", goal.object, None), ("lift", goal.object, None)), STAYING)]


def _to_target(field: str | None) -> Callable[[TaskSpec, Any], list[Part]]:
    """Puts goal.object where goal.`field` says, None where the statement itself says."""
    return lambda spec, goal: [_put(spec, goal, goal.object, getattr(goal, field) if field else None)]


def _several(spec: TaskSpec, goal: Any) -> list[Part]:
    return [_put(spec, goal, name, None) for name in goal.objects]


def _layout(spec: TaskSpec, goal: Any) -> list[Part]:
    if goal.layout != "stack":
        return _several(spec, goal)
    pairs = zip(goal.objects[1:], goal.objects, strict=False)
    return [_put(spec, goal, name, support) for name, support in pairs]


def _assigned(spec: TaskSpec, goal: Any) -> list[Part]:
    return [_put(spec, goal, name, place) for name, place in goal.pairs]


def _contact(spec: TaskSpec, goal: Any) -> list[Part]:
    """Set one on the other, or push it against what is round."""
    movable = [name for name in (goal.object, goal.other) if spec.object(name).free]
    if not movable:
        raise ValueError(f"{spec.name}: neither {goal.object!r} nor {goal.other!r} can be moved to touch the other")
    name, other = movable[0], goal.other if movable[0] == goal.object else goal.object
    if spec.object(other).kind in ROUND:
        return [Part(goal, _steps(goal, ("push", name, other)), PUTTING)]
    return [_put(spec, goal, name, other)]


def _rope(spec: TaskSpec, goal: Any) -> list[Part]:
    """One end after the other to its mark."""
    steps = [Step(skill, goal.rope, None, end, goal) for end in ROPE_ENDS for skill in ("grasp", "place")]
    return [Part(goal, tuple(steps), PUTTING)]


def _joint(spec: TaskSpec, goal: Any) -> list[Part]:
    shut = getattr(goal, "at_most", None) is not None or not getattr(goal, "on", True)
    step = (MOTIONS[spec.object(goal.object).motion], goal.object, None)
    return [Part(goal, _steps(goal, step), SHUTTING if shut else OPENING)]


def _press(spec: TaskSpec, goal: Any) -> list[Part]:
    return [Part(goal, _steps(goal, ("press", goal.object, None)), STAYING)]


def _sweep(spec: TaskSpec, goal: Any) -> list[Part]:
    return [Part(goal, _steps(goal, ("sweep", goal.pile, goal.zone)), PUTTING)]


def _all(spec: TaskSpec, goal: Any) -> list[Part]:
    return [part for each in goal.parts for part in _parts(spec, each)]


def _plannable(spec: TaskSpec, goal: Any, count: int) -> list[Part]:
    """The first `count` parts that there is a plan for."""
    found: list[list[Part]] = []
    faults: list[str] = []
    for each in goal.parts:
        try:
            found.append(_parts(spec, each))
        except ValueError as fault:
            faults.append(str(fault))
    if len(found) < count:
        raise ValueError("; ".join(faults))
    found.sort(key=lambda some: max(part.phase for part in some))  # what the hand need not keep up is easier
    return [part for some in found[:count] for part in some]


def _held(spec: TaskSpec, goal: Any) -> list[Part]:
    """As its part, until it has held for long enough."""
    return _parts(spec, goal.part)


def _not(spec: TaskSpec, goal: Any) -> list[Part]:
    """The opposite motion; what only the hand keeps up, or a touch, ends when the hand retreats."""
    part = goal.part
    if part.kind in KEPT_BY_HAND:
        return _keep(spec, goal)
    if part.kind == "toggled":
        return _parts(spec, part.model_copy(update={"on": not part.on}))
    if part.kind == "joint_fraction":
        shut = part.at_least is not None
        bounds = {"at_least": None, "at_most": part.at_least / 2} if shut else {"at_least": OPEN, "at_most": None}
        return _parts(spec, part.model_copy(update=bounds))
    if part.kind in ("on_top", "inside", "in_zone", "pose_near"):
        return [_put(spec, goal, part.object, None)]
    raise ValueError(f"{spec.name}: no skill brings about the opposite of {part.kind!r}")


KEPT_BY_HAND = ("grasped", "height_above", "in_contact", "pressed", "tool_near")
PLANNERS: dict[str, Callable[[TaskSpec, Any], list[Part]]] = {
    "aligned_with": _to_target("target"),
    "all": _all,
    "any": lambda spec, goal: _plannable(spec, goal, 1),
    "apart": _to_target("other"),
    "assigned": _assigned,
    "at_least": lambda spec, goal: _plannable(spec, goal, goal.count),
    "beside": _to_target("other"),
    "grasped": _grasp,
    "height_above": _lift,
    "hold_for": _held,
    "in_contact": _contact,
    "in_region": _to_target(None),
    "in_zone": _to_target("zone"),
    "inside": _to_target("container"),
    "joint_fraction": _joint,
    "layout_matches": _layout,
    "near": _to_target("other"),
    "not": _not,
    "on_top": _to_target("support"),
    "pose_near": _to_target("target"),
    "pressed": _press,
    "released": _keep,
    "rope_between": _rope,
    "sorted_by": _several,
    "swept": _sweep,
    "toggled": _joint,
    "tool_near": _reach,
    "undisturbed": _keep,
    "upright": _keep,
}
