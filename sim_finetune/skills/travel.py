"""A goal for the tool in, a way there that passes over what stands in between out."""

from collections.abc import Callable, Generator
from itertools import islice

import numpy as np

from sim_finetune.skills.base import Goal, Skill, World, at_height, move, near, up

PATIENCE_STEPS = 50  # a movement is given up then: something is in its way, or it is out of reach
CLEAR_M = 0.03  # between what hangs lowest and what it passes over
ASIDE_M = 0.07  # half of the hand's breadth: what is farther from the way than this is passed by
ARRIVING_M = 0.025  # sideways distance from which the tool goes straight to its goal
TIP_M = 0.010  # the fingertips are so much lower than the tool's point
TURNED_RAD = 0.06
TURNING_RAD, TURN_STEPS = 0.01, 4  # a wrist that turns by less for so long can turn no farther


def travel(
    world: World,
    goal: Callable[[], Goal],
    tolerance_m: float,
    *,
    carried: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Goal, None, bool]:
    """Go where `goal()` is by now, over what stands in between; whether the tool got there.

    carried: the object in the fingers; stop: ends the movement early.
    """
    least, idle = np.inf, 0
    for _ in range(PATIENCE_STEPS):
        wanted = goal()
        if stop():
            return False
        if near(world, tolerance_m)(wanted):
            off = abs(wanted.yaw_rad - world.tool_yaw())
            least, idle = (off, 0) if off < least - TURNING_RAD else (least, idle + 1)
            if off < TURNED_RAD or idle > TURN_STEPS:
                return True
        yield _over(world, wanted, carried)
    return False


def straight(world: World, goal: Goal, tolerance_m: float) -> Skill:
    """There the straight way, whatever is on it: to push it along."""
    yield from islice(move(world, lambda: goal, near(world, tolerance_m)), PATIENCE_STEPS)


def rise(world: World, height_m: float, goal: Goal) -> Skill:
    """Straight up by `height_m` from here, with the goal's yaw and gap."""
    yield from straight(world, goal._replace(tool_m=up(world.tool(), height_m)), 0.02)


def _over(world: World, goal: Goal, carried: str | None) -> Goal:
    """The goal, or as long as it is far to the side, a point at a height at which nothing is in the way."""
    tool = world.tool()
    if float(np.linalg.norm((goal.tool_m - tool)[:2])) < ARRIVING_M:
        return goal
    height = max(clear_height_m(world, goal.tool_m, carried), goal.tool_m[2])
    if tool[2] < height - 0.02:
        return goal._replace(tool_m=at_height(tool, height))
    return goal._replace(tool_m=at_height(goal.tool_m, height))


def clear_height_m(world: World, to_m: np.ndarray, carried: str | None) -> float:
    """Least height of the tool on its straight way to a point, for all it carries to pass over the other objects."""
    others = [thing for thing in world.env.task_spec.objects if thing.name != carried]
    under = [thing.name for thing in others if _beside_m(world, thing.name, to_m) < thing.radius_m + ASIDE_M]
    top = max((world.highest_m(name) for name in under), default=0.0)
    return top + CLEAR_M + max(TIP_M, _hangs_m(world, carried))


def _beside_m(world: World, name: str, to_m: np.ndarray) -> float:
    """Horizontal distance of an object's middle from the straight way to a point."""
    start, along, middle = world.tool()[:2], (to_m - world.tool())[:2], world.centre(name)[:2]
    share = np.clip((middle - start) @ along / max(float(along @ along), 1e-9), 0, 1)
    return float(np.linalg.norm(middle - start - share * along))


def _hangs_m(world: World, carried: str | None) -> float:
    """How far the carried object reaches below the tool."""
    if carried is None:
        return 0.0
    bottom = world.centre(carried)[2] - world.env.task_spec.object(carried).rest_height_m
    return float(world.tool()[2] - bottom)
