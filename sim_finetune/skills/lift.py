"""A held object in, goals for the tool out: straight up until it is high enough."""

from sim_finetune.skills.base import SLOW, Goal, Skill, Step, World, up
from sim_finetune.skills.grasp import held

LIFT_M = 0.12  # where the wish names no height
MOST_STEPS = 40


def lift(world: World, step: Step) -> Skill:
    """Raise the object until what is wished for holds, or by LIFT_M; ends early when it was lost."""
    start, yaw = world.tool(), world.tool_yaw()
    for _ in range(MOST_STEPS):
        raised_m = float(world.tool()[2] - start[2])
        enough = raised_m > LIFT_M - 0.02 if step.want is None else step.want.holds(world.env.view)
        if enough or not held(world, step):
            return
        yield Goal(up(start, max(LIFT_M, raised_m + 0.05)), yaw, 0.0, SLOW)
