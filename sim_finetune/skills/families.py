"""A running environment in, a stream of tool poses out: the generators of the four first families of tasks."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from sim_finetune.predicates import AllOf, InZone, JointFraction, OnTop, Predicate, ToolNear
from sim_finetune.skills.base import (
    CLOSE_ENOUGH_M,
    FAST,
    GRIP_STEPS,
    HANDLE_GAP_M,
    HOVER_M,
    NARROW_M,
    RELEASE_STEPS,
    RETREAT_M,
    SLOW,
    TRAVEL_M,
    WIDE_M,
    Goal,
    Skill,
    World,
    at_height,
    move,
    near,
    smallest_turn,
    up,
    wait,
)

PUSH_HEIGHT_M = 0.022
FINGER_M = 0.010  # half thickness of a finger, from the tool site to what it pushes

P = TypeVar("P", bound=Predicate)


def _part(world: World, kind: type[P]) -> P:
    """The part of the task's goal that is a `kind`; ValueError when it has none."""
    goal: Any = world.env.task_spec.goal
    parts = goal.parts if isinstance(goal, AllOf) else (goal,)
    for part in parts:
        if isinstance(part, kind):
            return part
    there = [type(part).__name__ for part in parts]
    raise ValueError(f"{world.env.task_spec.name}: its goal has no {kind.__name__}, only {there}")


def reach(world: World) -> Skill:
    """Come from above along a slope, and stay."""
    goal = _part(world, ToolNear)
    while True:
        point = up(world.site(goal.object, "top"), goal.above_m)
        aside_m = float(np.linalg.norm((point - world.tool())[:2]))
        yield Goal(up(point, 0.6 * np.clip(aside_m - 0.03, 0, 0.12)), 0.0, WIDE_M, FAST)


def push_to_zone(world: World) -> Skill:
    """Behind the block, down, push along the line to the zone's middle; again from the start when it slips off."""
    goal = _part(world, InZone)
    while True:
        yield from move(world, lambda: _behind(world, goal, TRAVEL_M), near(world, 0.02))
        yield from move(world, lambda: _behind(world, goal, PUSH_HEIGHT_M), near(world, 0.015))
        yield from move(world, lambda: _push(world, goal), lambda _: _pushed(world, goal))
        yield from _back_off(world, goal)
        while goal.holds(world.env.view):
            yield Goal(at_height(world.tool(), TRAVEL_M), _push_yaw(world, goal), NARROW_M, FAST)


def _line(world: World, goal: InZone) -> tuple[np.ndarray, float, float]:
    """Unit vector (3,) from block to zone, metres to go, and how far behind the block's middle the tool touches it."""
    away = world.centre(goal.zone) - world.centre(goal.object)
    away[2] = 0.0
    distance = float(np.linalg.norm(away))
    along = away / max(distance, 1e-9)
    x, y, _ = world.env.task_spec.object(goal.object).half_extents_m
    turn = np.arctan2(along[1], along[0]) - world.yaw(goal.object)
    return along, distance, float(abs(x * np.cos(turn)) + abs(y * np.sin(turn))) + FINGER_M


def _push_yaw(world: World, goal: InZone) -> float:
    """Fingers side by side across the way to the zone."""
    along, _, _ = _line(world, goal)
    return smallest_turn(float(np.arctan2(along[1], along[0])), np.pi)


def _behind(world: World, goal: InZone, height_m: float) -> Goal:
    along, _, contact_m = _line(world, goal)
    point = world.centre(goal.object) - along * (contact_m + 0.02)
    return Goal(at_height(point, height_m), _push_yaw(world, goal), NARROW_M, FAST)


def _push(world: World, goal: InZone) -> Goal:
    """A point a little ahead on the line through the block's middle, so that sideways error is steered away."""
    along, distance, contact_m = _line(world, goal)
    point = world.centre(goal.object) + along * (min(distance, 0.06) - contact_m)
    return Goal(at_height(point, PUSH_HEIGHT_M), _push_yaw(world, goal), NARROW_M, SLOW)


def _pushed(world: World, goal: InZone) -> bool:
    """The block has arrived, or the tool is no longer behind it."""
    along, distance, contact_m = _line(world, goal)
    gap = (world.centre(goal.object) - world.tool())[:2]
    aside = abs(float(gap @ [-along[1], along[0]]))
    return distance < 0.012 or aside > 0.03 or float(gap @ along[:2]) < 0.25 * contact_m


def _back_off(world: World, goal: InZone) -> Skill:
    """Straight back, then up, so that the block stays where it is."""
    yaw, away = _push_yaw(world, goal), world.tool() - world.centre(goal.object)
    back = at_height(world.tool() + 0.03 * away / np.linalg.norm(away[:2]), PUSH_HEIGHT_M)
    yield from wait(2, Goal(back, yaw, NARROW_M, FAST))
    yield from move(world, lambda: Goal(at_height(back, TRAVEL_M), yaw, NARROW_M, FAST), near(world, 0.05))


def pick_and_place(world: World) -> Skill:
    """Over the block, down, grip, up, over the support, down, let go, up; again from the start when it was lost."""
    goal = _part(world, OnTop)
    while True:
        yield from _grasp(world, goal.object)
        if not _held(world, goal.object):
            continue
        yield from _carry(world, goal)
        rest = Goal(world.tool(), _grasp_yaw(world, goal.object), WIDE_M, SLOW)
        while world.solved():
            yield rest


def _grasp_yaw(world: World, name: str) -> float:
    return smallest_turn(world.yaw(name), np.pi / 2)


def _grasp(world: World, name: str) -> Skill:
    """Fingers round the block's middle, closed, and up."""

    def at(height_m: float, gap_m: float) -> Goal:
        return Goal(up(world.centre(name), height_m), _grasp_yaw(world, name), gap_m, FAST)

    def over(goal: Goal) -> bool:
        return float(np.linalg.norm((goal.tool_m - world.tool())[:2])) < CLOSE_ENOUGH_M

    yield from move(world, lambda: at(HOVER_M, WIDE_M), over)
    yield from move(world, lambda: at(0.0, WIDE_M), near(world, CLOSE_ENOUGH_M))
    grip = at(0.0, 0.0)
    yield from wait(GRIP_STEPS, grip)
    lifted = grip._replace(tool_m=up(grip.tool_m, HOVER_M))
    yield from move(world, lambda: lifted, near(world, 0.02))


def _held(world: World, name: str) -> bool:
    return float(np.linalg.norm(world.centre(name) - world.tool())) < 0.03


def _carry(world: World, goal: OnTop) -> Skill:
    """The held block above the support, down onto it, open, up. Ends early when it falls."""
    bottom_m = world.env.task_spec.object(goal.object).rest_height_m
    yaw = _grasp_yaw(world, goal.object)

    def at(height_m: float) -> Goal:
        """The tool where the block's bottom is `height_m` over the support's top."""
        offset = world.tool() - world.centre(goal.object)
        return Goal(up(world.site(goal.support, "top") + offset, bottom_m + height_m), yaw, 0.0, FAST)

    def arrived(tolerance_m: float) -> Callable[[Goal], bool]:
        return lambda wanted: near(world, tolerance_m)(wanted) or not _held(world, goal.object)

    yield from move(world, lambda: at(0.04), arrived(0.015))
    yield from move(world, lambda: at(0.002), arrived(0.006))
    down = Goal(world.tool(), yaw, WIDE_M, FAST)
    yield from wait(RELEASE_STEPS, down)
    yield from move(world, lambda: down._replace(tool_m=up(down.tool_m, RETREAT_M)), near(world, 0.02))


def open_drawer(world: World) -> Skill:
    """Over the handle, down round it, grip, pull; again from the start when the fingers slip off."""
    goal = _part(world, JointFraction)
    name, low = goal.object, -0.006  # fingertips a little below the bar

    def at(height_m: float, gap_m: float) -> Goal:
        return Goal(up(world.site(name, "handle"), height_m), world.yaw(name), gap_m, FAST)

    def pulled(_: Goal) -> bool:
        return world.solved() or float(np.linalg.norm(world.tool() - world.site(name, "handle"))) > 0.03

    while True:
        yield from move(world, lambda: at(0.06, HANDLE_GAP_M), near(world, 0.012))
        yield from move(world, lambda: at(low, HANDLE_GAP_M), near(world, CLOSE_ENOUGH_M))
        yield from wait(GRIP_STEPS, at(low, 0.0))
        yield from move(world, lambda: _pull(world, goal), pulled)
        while world.solved():
            yield _pull(world, goal)


def _pull(world: World, goal: JointFraction) -> Goal:
    """A point before the handle on the drawer's way out; the handle itself once it is fully open."""
    yaw, left = world.yaw(goal.object), 1.0 - goal.fraction(world.env.view)
    out = np.array([np.sin(yaw), -np.cos(yaw), 0.0]) * min(
        0.05, left * world.env.task_spec.object(goal.object).travel_m
    )
    return Goal(up(world.site(goal.object, "handle") + out, -0.006), yaw, 0.0, SLOW)


FAMILIES: dict[str, Callable[[World], Skill]] = {
    "reach": reach,
    "push_to_zone": push_to_zone,
    "pick_and_place": pick_and_place,
    "open_drawer": open_drawer,
}
