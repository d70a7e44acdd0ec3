"""A running environment in, the oracle's stream of tool goals out: the plan, and again what is not yet done."""

from collections.abc import Sequence
from itertools import chain

from sim_finetune.plan import STAYING, Part, stages
from sim_finetune.predicates import OnTop, Predicate
from sim_finetune.predicates.logic import Not
from sim_finetune.skills import FAMILIES, Skill, Step, World, skill
from sim_finetune.skills.base import FAST, WIDE_M, Goal, at_height
from sim_finetune.skills.where import at_place
from sim_finetune.spec import TaskSpec

FIRST_KINDS = {"block", "drawer", "stand", "zone"}  # what the generators of the first families know
RETREAT_M, HIGHEST_M = 0.10, 0.30
SETTING_DOWN = ("place", "insert")


def perform(world: World) -> Skill:
    """Endless goals: a task of the first families by its own generator, any other by its plan."""
    spec = world.env.task_spec
    todo = stages(spec)
    if spec.family in FAMILIES and _is_first(spec, todo):
        return FAMILIES[spec.family](world)
    return _all_stages(world, todo)


def _is_first(spec: TaskSpec, todo: Sequence[Sequence[Part]]) -> bool:
    """Whether a task is as simple as the first ones were: one thing to bring about, of their kinds, and no hints."""
    known = {thing.kind for thing in spec.objects} <= FIRST_KINDS
    return known and not spec.oracle and sum(bool(part.steps) for stage in todo for part in stage) == 1


def _all_stages(world: World, todo: Sequence[Sequence[Part]]) -> Skill:
    """Each stage until its goal holds; the last one, the task's goal, for ever."""
    for stage, parts in zip(world.env.task_spec.stages, todo[:-1], strict=False):  # hints are all in one
        while not stage.goal.holds(world.env.view):
            yield from _carry_out(world, parts, stage.goal, leave=True)
    while True:
        yield from _carry_out(world, todo[-1], world.env.task_spec.goal, leave=False)


def _carry_out(world: World, todo: Sequence[Part], goal: Predicate, *, leave: bool) -> Skill:
    """Every part that does not hold, in order; then rest as long as all is done. leave: go on once the goal holds."""
    last = None
    for part in todo:
        if _settled(world, part):
            continue
        for step in part.steps:
            if step.want is part.want or not step.want.holds(world.env.view):
                for last in chain(_uncovered(world, step), skill(step.skill)(world, step)):
                    yield last
    rest = last if last and todo[-1].phase == STAYING else _away(world)
    yield rest
    while _done(world, todo, goal) and not (leave and goal.holds(world.env.view)):
        yield rest


def _done(world: World, todo: Sequence[Part], goal: Predicate) -> bool:
    """Nothing is left to do, though the goal may ask that it lasts."""
    return goal.holds(world.env.view) or all(part.want.holds(world.env.view) for part in todo)


def _away(world: World) -> Goal:
    """Up and open, as far as is of use."""
    height = max(float(world.tool()[2]), min(float(world.tool()[2]) + RETREAT_M, HIGHEST_M))
    return Goal(at_height(world.tool(), height), world.tool_yaw(), WIDE_M, FAST)


def _uncovered(world: World, step: Step) -> Skill:
    """What stands on an object that is to be grasped goes to a free place on the table first."""
    if step.skill != "grasp":
        return
    for thing in world.env.task_spec.objects:
        if not thing.free or thing.name == step.object:
            continue
        on = OnTop(kind="on_top", object=thing.name, support=step.object, within_m=min(thing.radius_m, 0.1))
        if on.holds(world.env.view):
            for name in ("grasp", "place"):
                yield from skill(name)(world, Step(name, thing.name, None, None, Not(kind="not", part=on)))


def _settled(world: World, part: Part) -> bool:
    """What the part is for holds, or its object is where it belongs in a pattern that others are still missing from."""
    if part.want.holds(world.env.view) or not part.steps:
        return True
    last = part.steps[-1]
    return last.skill in SETTING_DOWN and last.site is None and at_place(world, last)
