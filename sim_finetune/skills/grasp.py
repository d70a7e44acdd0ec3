"""A free object in, goals for the tool out: fingers round it, closed, and up."""

import numpy as np
from jaxtyping import Float

from sim_finetune.predicates.places import hollow_gap_m
from sim_finetune.skills.base import (
    CLOSE_ENOUGH_M,
    FAST,
    GRIP_STEPS,
    WIDE_M,
    Goal,
    Skill,
    Step,
    World,
    smallest_turn,
    up,
    wait,
)
from sim_finetune.skills.travel import TIP_M, rise, travel

TRIES = 4
HELD_M = 0.035  # from the tool to the place where the object is grasped
PALM_M = 0.038  # over the tool's point: objects must not be taller than that above the grasp
LIFT_M, OVER_M = 0.05, 0.045  # of the tool after gripping, and over the object's top before
UPRIGHT = 0.7  # share of the grasp site's z axis that is vertical
SHUT = 0.5  # opening of the gripper, of 1, below which it means to hold something
ROOM_M = 0.030  # more than the object's width, between open fingers
IN_HOLLOW_M = 0.014  # the same in a hollow, whose walls they would press apart, or lift


def grasp(world: World, step: Step) -> Skill:
    """Take the object; again when it was not lifted, at most TRIES times."""
    for attempt in range(TRIES):
        if held(world, step):
            return
        other_way = attempt % 2 == 1 and _either_way(world, step)  # a neighbour may stand where the fingers go
        yield from _grip(world, step, np.pi / 2 if other_way else 0.0)


def held(world: World, step: Step) -> bool:
    """Whether the object is in the fingers: they were told to shut, and it is where one grasps it."""
    away = float(np.linalg.norm(grasp_point(world, step) - world.tool()))
    return away < HELD_M and world.env.target()[-1] < SHUT


def hold_point(world: World, step: Step) -> Float[np.ndarray, "3"]:
    """The point of the object that the step is about: its middle, or the site that the step names [m]."""
    return world.site(step.object, step.site) if step.site else world.centre(step.object)


def grasp_point(world: World, step: Step) -> Float[np.ndarray, "3"]:
    """Where the tool has to be [m]: the grasp site, as far up as the palm needs and the table allows."""
    name = step.object
    if step.site or not _stands(world, name):
        point, top = hold_point(world, step), -np.inf
    else:
        point, top = world.site(name, "grasp"), float(world.site(name, "top")[2])
    point[2] = max(point[2], top - PALM_M, world.env.view.lowest_m(name) + TIP_M + 0.002)
    return point


def grasp_yaw(world: World, step: Step) -> float:
    """The tool's yaw whose jaws close across the object: along the x axis of its grasp site, and across the length of
    what lies or is taken by an end [rad].
    """
    if step.site:
        along = world.axes(step.object, step.site)[:, 0]
    elif _stands(world, step.object):
        along = world.axes(step.object, "grasp")[:, 1]
    else:
        along = world.env.view.axes(step.object)[:, 2]
    return smallest_turn(float(np.arctan2(along[1], along[0])), np.pi)


def _stands(world: World, name: str) -> bool:
    """Whether its jaws close level; a peg that fell over has to be taken otherwise."""
    return bool(world.axes(name, "grasp")[2, 2] > UPRIGHT)


def _either_way(world: World, step: Step) -> bool:
    """Whether the jaws may as well close at right angles to their site: they stand round the object's middle."""
    x, y, _ = world.env.task_spec.object(step.object).bounds_m
    aside = (grasp_point(world, step) - world.centre(step.object))[:2]
    return step.site is None and 2 * max(x, y) <= WIDE_M and float(np.linalg.norm(aside)) < CLOSE_ENOUGH_M


def open_gap_m(world: World, name: str) -> float:
    """Clear width between fingers that stand round the object without touching it, nor the walls that are round it."""
    spec = world.env.task_spec
    hollows = [other.name for other in spec.objects if other.name != name and world.has(other.name, "inside")]
    walled = any(hollow_gap_m(world.env.view, name, hollow) == 0 for hollow in hollows)
    return min(WIDE_M, getattr(spec.object(name), "grasp_width_m", WIDE_M) + (IN_HOLLOW_M if walled else ROOM_M))


def _grip(world: World, step: Step, turn_rad: float) -> Skill:
    """Down round the object, shut, and up; turn_rad: of the jaws against their site."""
    gap = WIDE_M if turn_rad else open_gap_m(world, step.object)

    def at(height_m: float) -> Goal:
        yaw = smallest_turn(grasp_yaw(world, step) + turn_rad, np.pi)
        return Goal(up(grasp_point(world, step), height_m), yaw, gap, FAST)

    over = max(world.site(step.object, "top")[2] - grasp_point(world, step)[2], 0.0) + OVER_M
    yield from travel(world, lambda: at(over), 0.015)
    yield from travel(world, lambda: at(0.0), CLOSE_ENOUGH_M)
    grip = at(0.0)._replace(gap_m=0.0)
    yield from wait(GRIP_STEPS, grip)
    yield from rise(world, LIFT_M, grip)
