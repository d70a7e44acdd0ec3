"""A held object and the hollow it fits into in, goals for the tool out: over it, turned to fit, down with a search."""

import numpy as np

from sim_finetune.skills.base import SLOW, Goal, Skill, Step, World, near
from sim_finetune.skills.grasp import held
from sim_finetune.skills.place import first_yaw, tool_goal
from sim_finetune.skills.release import release
from sim_finetune.skills.travel import travel
from sim_finetune.skills.where import place_of

OVER_M, ARRIVED_M = 0.035, 0.004
SEARCH_STEPS, TURNS, SEARCH_M = 30, 4, 0.003  # a spiral of so many turns, growing to this radius
DOWN_M = 0.003  # from where the tool has to be
PRESS_M = 0.006  # how far below its seat the object is sent


def insert(world: World, step: Step) -> Skill:
    """Fit the object into its place and let go; ends early when it was lost."""
    yaw = first_yaw(world, step.object, place_of(world, step))

    def at(height_m: float) -> Goal:
        return tool_goal(world, step, place_of(world, step), height_m, yaw)

    def lost() -> bool:
        return not held(world, step)

    yield from travel(world, lambda: at(OVER_M), ARRIVED_M, carried=step.object, stop=lost)
    for share in np.linspace(0, 1, SEARCH_STEPS):
        if lost() or near(world, DOWN_M)(at(0.0)):
            break
        around = SEARCH_M * share * np.array([np.cos(share * TURNS * 2 * np.pi), np.sin(share * TURNS * 2 * np.pi), 0])
        down = at(-PRESS_M)
        yield down._replace(tool_m=down.tool_m + around, speed_m_s=SLOW)
    if not lost():
        yield from release(world, step)
