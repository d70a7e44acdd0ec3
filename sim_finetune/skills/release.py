"""A hand that holds something in, goals for the tool out: open, and away upwards."""

from sim_finetune.skills.base import FAST, RELEASE_STEPS, RETREAT_M, WIDE_M, Goal, Skill, Step, World, wait
from sim_finetune.skills.grasp import open_gap_m
from sim_finetune.skills.travel import rise


def release(world: World, step: Step) -> Skill:
    """Let go of the object where it is."""
    yield from let_go(world, open_gap_m(world, step.object))


def let_go(world: World, gap_m: float = WIDE_M) -> Skill:
    """Open the fingers to `gap_m` and rise out of the way."""
    here = Goal(world.tool(), world.tool_yaw(), gap_m, FAST)
    yield from wait(RELEASE_STEPS, here)
    yield from rise(world, RETREAT_M, here)
