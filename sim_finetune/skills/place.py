"""A held object and where it belongs in, goals for the tool out: over the place, down, let go, up."""

import numpy as np
from jaxtyping import Float

from sim_finetune.skills.base import FAST, Goal, Skill, Step, World, at_height, up
from sim_finetune.skills.grasp import held
from sim_finetune.skills.release import release
from sim_finetune.skills.travel import travel
from sim_finetune.skills.where import Place, place_of

OVER_M, TOUCHING_M = 0.04, 0.002  # of the object's bottom over its place
ARRIVED_M, DOWN_M = 0.010, 0.005


def place(world: World, step: Step) -> Skill:
    """Set the object down where it belongs and let go; ends early when it was lost."""
    yaw = world.tool_yaw()

    def at(height_m: float) -> Goal:
        return tool_goal(world, step.object, place_of(world, step), height_m, yaw)

    def lost() -> bool:
        return not held(world, step.object)

    for height_m, tolerance_m in ((OVER_M, ARRIVED_M), (TOUCHING_M, DOWN_M)):
        yield from travel(world, lambda: at(height_m), tolerance_m, carried=step.object, stop=lost)  # noqa: B023
    if not lost():
        yield from release(world, step)


def tool_goal(world: World, name: str, place: Place, height_m: float, yaw_rad: float) -> Goal:
    """The tool where the held object is `height_m` over its place, turned as it has to be (or as it is: yaw_rad)."""
    turn = 0.0
    if place.yaw_rad is not None:
        yaw_rad, turn = _turned(world, world.yaw(name), place.yaw_rad, place.period_rad)
    offset = turned(world.tool() - world.centre(name), turn)
    point = up(place.point_m + offset, height_m)
    return Goal(at_height(point, max(point[2], place.lowest_m)), yaw_rad, 0.0, FAST)


def _turned(world: World, now_rad: float, wanted_rad: float, period_rad: float) -> tuple[float, float]:
    """The tool's yaw and the turn still to make, of all that look alike the one nearest to the home's orientation."""
    turns = wanted_rad - now_rad + period_rad * np.arange(-8, 9)
    yaws = world.tool_yaw() + turns
    best = int(np.argmin(np.abs(yaws)))
    return float(yaws[best]), float(turns[best])


def turned(vector: Float[np.ndarray, "3"], yaw_rad: float) -> Float[np.ndarray, "3"]:
    """The vector turned about the vertical."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1], vector[2]])
