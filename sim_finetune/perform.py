"""A running environment in, the oracle's stream of tool goals out: the plan, and again what is not yet done."""

from collections.abc import Sequence

from sim_finetune.plan import Part, parts
from sim_finetune.skills import FAMILIES, Skill, World, skill
from sim_finetune.skills.base import FAST, WIDE_M, Goal, up

FIRST_KINDS = {"block", "drawer", "stand", "zone"}  # what the generators of the first families know
RETREAT_M = 0.10


def perform(world: World) -> Skill:
    """Endless goals: a task of the first families by its own generator, any other by its plan."""
    spec = world.env.task_spec
    if spec.family in FAMILIES and {thing.kind for thing in spec.objects} <= FIRST_KINDS:
        return FAMILIES[spec.family](world)
    return _carry_out(world, parts(spec, spec.goal))


def _carry_out(world: World, todo: Sequence[Part]) -> Skill:
    """Every part that does not hold, in order and over again; away and still as long as the goal holds."""
    while True:
        last = None
        for part in todo:
            for step in part.steps:
                if part.want.holds(world.env.view):
                    break
                for last in skill(step.skill)(world, step):
                    yield last
        yield from _rest(world, last if todo[-1].stays else None)


def _rest(world: World, stay: Goal | None) -> Skill:
    """Where the hand is when it has to stay, else up and open; at least one goal, and as long as all is done."""
    away = Goal(up(world.tool(), RETREAT_M), world.tool_yaw(), WIDE_M, FAST)
    goal = stay or away
    yield goal
    while world.solved():
        yield goal
