"""An object on the table and where it belongs in, goals for the tool out: shut fingers behind it, and along."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from sim_finetune.skills.base import FAST, NARROW_M, SLOW, Goal, Skill, Step, World, at_height, smallest_turn
from sim_finetune.skills.release import let_go
from sim_finetune.skills.travel import straight, travel
from sim_finetune.skills.where import place_of

FINGER_M = 0.010  # half thickness of a finger, from the tool site to what it pushes
BEHIND_M = 0.02
ARRIVED_M = 0.010
LOW_M, HIGH_M = 0.014, 0.030  # heights of the tool over the table when it pushes
AHEAD_M = 0.06  # how far before the object the tool aims at most
PATIENCE_STEPS = 80


class Line(NamedTuple):
    """The way still to go. along: unit vector (3,); contact_m: from the object's middle back to the tool."""

    along: Float[np.ndarray, "3"]
    distance_m: float
    contact_m: float

    @property
    def yaw_rad(self) -> float:
        """Fingers side by side across the way."""
        return smallest_turn(float(np.arctan2(self.along[1], self.along[0])), np.pi)


def push(world: World, step: Step) -> Skill:
    """Get behind the object, down, push it along the line to its place; ends when it is there or slipped off."""
    height_m = _height_m(world, step.object)
    behind = _behind(world, step, height_m)
    yield from travel(world, lambda: behind._replace(tool_m=at_height(behind.tool_m, 2 * HIGH_M)), 0.02)
    yield from travel(world, lambda: behind, 0.015)
    for _ in range(PATIENCE_STEPS):
        if _done(world, step):
            break
        yield _ahead(world, step, height_m)
    line = _line(world, step)
    back = Goal(at_height(world.tool() - 0.03 * line.along, height_m), line.yaw_rad, NARROW_M, FAST)
    yield from straight(world, back, 0.01)
    yield from let_go(world, NARROW_M)


def _height_m(world: World, name: str) -> float:
    """Half way up the object, where fingers can go."""
    return float(np.clip(world.centre(name)[2], LOW_M, HIGH_M))


def _line(world: World, step: Step) -> Line:
    away = place_of(world, step).point_m - world.centre(step.object)
    away[2] = 0.0
    distance = float(np.linalg.norm(away))
    along = away / max(distance, 1e-9)
    return Line(along, distance, _reach_m(world, step.object, along) + FINGER_M)


def _reach_m(world: World, name: str, along: np.ndarray) -> float:
    """From the object's middle to its edge against the direction."""
    thing = world.env.task_spec.object(name)
    half = getattr(thing, "half_extents_m", None)
    if half is None:
        return float(thing.radius_m)
    turn = np.arctan2(along[1], along[0]) - world.yaw(name)
    return float(abs(half[0] * np.cos(turn)) + abs(half[1] * np.sin(turn)))


def _behind(world: World, step: Step, height_m: float) -> Goal:
    line = _line(world, step)
    point = world.centre(step.object) - line.along * (line.contact_m + BEHIND_M)
    return Goal(at_height(point, height_m), line.yaw_rad, NARROW_M, FAST)


def _ahead(world: World, step: Step, height_m: float) -> Goal:
    """A point a little ahead on the line through the object's middle, so that sideways error is steered away."""
    line = _line(world, step)
    point = world.centre(step.object) + line.along * (min(line.distance_m, AHEAD_M) - line.contact_m)
    return Goal(at_height(point, height_m), line.yaw_rad, NARROW_M, SLOW)


def _done(world: World, step: Step) -> bool:
    """The object has arrived, touches what it shall, or the tool is no longer behind it."""
    line = _line(world, step)
    gap = (world.centre(step.object) - world.tool())[:2]
    aside = abs(float(gap @ [-line.along[1], line.along[0]]))
    lost = aside > 0.03 or float(gap @ line.along[:2]) < 0.25 * line.contact_m
    touches = getattr(step.want, "kind", None) == "in_contact" and step.want.holds(world.env.view)
    return lost or touches or line.distance_m < ARRIVED_M
