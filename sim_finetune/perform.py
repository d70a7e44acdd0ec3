"""A running environment in, the oracle's stream of tool goals out: the plan, and again what is not yet done."""

from collections.abc import Sequence
from itertools import chain

from sim_finetune.plan import STAYING, Part, stages
from sim_finetune.predicates import OnTop
from sim_finetune.predicates.logic import Not
from sim_finetune.skills import FAMILIES, Skill, Step, World, skill
from sim_finetune.skills.base import FAST, WIDE_M, Goal, up
from sim_finetune.skills.where import at_place

FIRST_KINDS = {"block", "drawer", "stand", "zone"}  # what the generators of the first families know
RETREAT_M = 0.10
SETTING_DOWN = ("place", "insert")


def perform(world: World) -> Skill:
    """Endless goals: a task of the first families by its own generator, any other by its plan."""
    spec = world.env.task_spec
    if spec.family in FAMILIES and not spec.oracle and {thing.kind for thing in spec.objects} <= FIRST_KINDS:
        return FAMILIES[spec.family](world)
    return _all_stages(world, stages(spec))


def _all_stages(world: World, todo: Sequence[Sequence[Part]]) -> Skill:
    """Each stage until all of it holds, the last one, the goal, for ever."""
    for stage in todo[:-1]:
        while not all(part.want.holds(world.env.view) for part in stage):
            yield from _carry_out(world, stage)
    while True:
        yield from _carry_out(world, todo[-1])


def _carry_out(world: World, todo: Sequence[Part]) -> Skill:
    """Every part that does not hold, in order; then away, and still as long as the goal holds."""
    last = None
    for part in todo:
        if _settled(world, part):
            continue
        for step in part.steps:
            if step.want is part.want or not step.want.holds(world.env.view):
                for last in chain(_uncovered(world, step), skill(step.skill)(world, step)):
                    yield last
    yield from _rest(world, last if todo[-1].phase == STAYING else None)


def _uncovered(world: World, step: Step) -> Skill:
    """What stands on an object that is to be grasped goes to a free place on the table first."""
    for thing in world.env.task_spec.objects if step.skill == "grasp" else ():
        on = OnTop(kind="on_top", object=thing.name, support=step.object, within_m=min(thing.radius_m, 0.1))
        if thing.free and thing.name != step.object and on.holds(world.env.view):
            for name in ("grasp", "place"):
                yield from skill(name)(world, Step(name, thing.name, None, None, Not(kind="not", part=on)))


def _settled(world: World, part: Part) -> bool:
    """What the part is for holds, or its object is where it belongs in a pattern that others are still missing from."""
    if part.want.holds(world.env.view) or not part.steps:
        return True
    last = part.steps[-1]
    return last.skill in SETTING_DOWN and last.site is None and at_place(world, last)


def _rest(world: World, stay: Goal | None) -> Skill:
    """Where the hand is when it has to stay, else up and open; at least one goal, and as long as all is done."""
    goal = stay or Goal(up(world.tool(), RETREAT_M), world.tool_yaw(), WIDE_M, FAST)
    yield goal
    while world.solved():
        yield goal
