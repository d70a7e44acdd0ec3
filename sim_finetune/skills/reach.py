"""An object in, goals for the tool out: to a point over it, and stay."""

import numpy as np

from sim_finetune.skills.base import FAST, WIDE_M, Goal, Skill, Step, World, up

OVER_M = 0.02  # where the wish names no height


def reach(world: World, step: Step) -> Skill:
    """Come from above along a slope until what is wished for holds."""
    above_m = getattr(step.want, "above_m", OVER_M)
    while step.want is None or not step.want.holds(world.env.view):
        point = up(world.site(step.object, step.site or "top"), above_m)
        aside_m = float(np.linalg.norm((point - world.tool())[:2]))
        yield Goal(up(point, 0.6 * np.clip(aside_m - 0.03, 0, 0.12)), 0.0, WIDE_M, FAST)
        if step.want is None and aside_m < OVER_M:
            return
