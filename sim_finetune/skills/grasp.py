"""A free object in, goals for the tool out: fingers round it, closed, and up."""

import numpy as np

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
    wait,
)
from sim_finetune.skills.travel import TIP_M, rise, travel

TRIES = 4
HELD_M = 0.035  # from the tool to the place where the object is grasped
PALM_M = 0.038  # over the tool's point: objects must not be taller than that above the grasp
LIFT_M = 0.05
SHUT = 0.5  # opening of the gripper, of 1, below which it means to hold something
ROOM_M = 0.030  # more than the object's width, between open fingers


def grasp(world: World, step: Step) -> Skill:
    """Take the object; again when it was not lifted, at most TRIES times."""
    name = step.object
    for _ in range(TRIES):
        if held(world, name):
            return
        yield from _grip(world, name)


def held(world: World, name: str) -> bool:
    """Whether the object is in the fingers: they were told to shut, and it is where one grasps it."""
    away = float(np.linalg.norm(grasp_point(world, name) - world.tool()))
    return away < HELD_M and world.env.target()[-1] < SHUT


def grasp_point(world: World, name: str) -> np.ndarray:
    """Where the tool has to be [m]: the grasp site, as far up as the palm needs and the table allows."""
    point = world.site(name, "grasp") if world.has(name, "grasp") else world.centre(name)
    top = world.site(name, "top")[2]
    bottom = world.centre(name)[2] - world.env.task_spec.object(name).rest_height_m
    point[2] = max(point[2], top - PALM_M, bottom + TIP_M + 0.002)
    return point


def grasp_yaw(world: World, name: str) -> float:
    """The tool's yaw whose jaws close across the object: along the x axis of its grasp site [rad]."""
    if not world.has(name, "grasp"):
        return smallest_turn(world.yaw(name), np.pi / 2)
    across = world.axes(name, "grasp")[:, 0]
    return smallest_turn(float(np.arctan2(across[1], across[0])) - np.pi / 2, np.pi)


def open_gap_m(world: World, name: str) -> float:
    """Clear width between fingers that stand round the object without touching it."""
    thing = world.env.task_spec.object(name)
    return min(WIDE_M, getattr(thing, "grasp_width_m", WIDE_M) + ROOM_M)


def _grip(world: World, name: str) -> Skill:
    gap = open_gap_m(world, name)

    def at(height_m: float) -> Goal:
        return Goal(grasp_point(world, name) + np.array([0, 0, height_m]), grasp_yaw(world, name), gap, FAST)

    over = world.site(name, "top")[2] - grasp_point(world, name)[2] + 0.045
    yield from travel(world, lambda: at(over), 0.015)
    yield from travel(world, lambda: at(0.0), CLOSE_ENOUGH_M)
    grip = at(0.0)._replace(gap_m=0.0)
    yield from wait(GRIP_STEPS, grip)
    yield from rise(world, LIFT_M, grip)
