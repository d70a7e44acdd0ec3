"""A held object and where it belongs in, goals for the tool out: over the place, down, let go, up."""

import numpy as np
from jaxtyping import Float

from sim_finetune.skills.base import FAST, Goal, Skill, Step, World, at_height, up
from sim_finetune.skills.grasp import held, hold_point
from sim_finetune.skills.release import release
from sim_finetune.skills.travel import travel
from sim_finetune.skills.where import Place, place_of

OVER_M, TOUCHING_M = 0.04, 0.002  # of the object's bottom over its place
ARRIVED_M, DOWN_M = 0.010, 0.005


def place(world: World, step: Step) -> Skill:
    """Set the object down where it belongs and let go; ends early when it was lost."""
    yaw = first_yaw(world, step.object, place_of(world, step))

    def at(height_m: float) -> Goal:
        return tool_goal(world, step, place_of(world, step), height_m, yaw)

    def lost() -> bool:
        return not held(world, step)

    yield from travel(world, lambda: at(OVER_M), ARRIVED_M, carried=carried(step), stop=lost)
    yield from travel(world, lambda: at(TOUCHING_M), DOWN_M, carried=carried(step), stop=lost)
    if not lost():
        yield from release(world, step)


def carried(step: Step) -> str | None:
    """What hangs from the hand: the object, unless only an end of it is lifted."""
    return None if step.site else step.object


def first_yaw(world: World, name: str, place: Place) -> float:
    """The tool's yaw to set the object down with: as it is, or if the object has to turn, nearest to the home's."""
    if place.yaw_rad is not None:
        return world.tool_yaw() + _turn(world, name, place, 0.0)
    return world.tool_yaw() if place.hand_rad is None else place.hand_rad


def tool_goal(world: World, step: Step, place: Place, height_m: float, yaw_rad: float) -> Goal:
    """The tool where the held object is `height_m` over its place, turned as it has to be by now; yaw_rad: about so."""
    turn = yaw_rad - world.tool_yaw()
    if place.yaw_rad is not None:
        turn = _turn(world, step.object, place, yaw_rad)
        yaw_rad = world.tool_yaw() + turn
    offset = turned(world.tool() - hold_point(world, step), turn)
    point = up(place.point_m + offset, height_m)
    return Goal(at_height(point, max(point[2], place.lowest_m)), yaw_rad, 0.0, FAST)


def _turn(world: World, name: str, place: Place, near_rad: float) -> float:
    """The turn still to make, of all after which the object looks alike the one that ends nearest to `near_rad`."""
    assert place.yaw_rad is not None
    turns = place.yaw_rad - world.yaw(name) + place.period_rad * np.arange(-40, 41)
    return float(turns[np.argmin(np.abs(world.tool_yaw() + turns - near_rad))])


def turned(vector: Float[np.ndarray, "3"], yaw_rad: float) -> Float[np.ndarray, "3"]:
    """The vector turned about the vertical."""
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    return np.array([c * vector[0] - s * vector[1], s * vector[0] + c * vector[1], vector[2]])
