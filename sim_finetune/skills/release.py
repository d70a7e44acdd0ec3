"""A hand that holds something in, goals for the tool out: open, and away upwards."""

from sim_finetune.skills.base import FAST, RELEASE_STEPS, RETREAT_M, WIDE_M, Goal, Skill, Step, World, wait
from sim_finetune.skills.grasp import open_gap_m
from sim_finetune.skills.travel import rise

IN_HOLLOW_M = 0.014  # more than the object's width, between fingers that must not touch the walls around them


def release(world: World, step: Step) -> Skill:
    """Let go of the object where it is; in a hollow the fingers open no wider than they need: a bowl would be lifted."""
    gap = open_gap_m(world, step.object)
    if step.target and world.has(step.target, "inside"):
        gap = min(gap, world.env.task_spec.object(step.object).grasp_width_m + IN_HOLLOW_M)
    yield from let_go(world, gap)


def let_go(world: World, gap_m: float = WIDE_M) -> Skill:
    """Open the fingers to `gap_m` and rise out of the way."""
    here = Goal(world.tool(), world.tool_yaw(), gap_m, FAST)
    yield from wait(RELEASE_STEPS, here)
    yield from rise(world, RETREAT_M, here)
