"""A button, switch, door or lid in, goals for the tool out: shut fingers behind its handle, and against it."""

import numpy as np

from sim_finetune.skills.base import FAST, SLOW, Goal, Skill, Step, World
from sim_finetune.skills.joints import Joint, left_to_go
from sim_finetune.skills.travel import TIP_M, rise, travel

BEFORE_M = 0.045  # from the handle back to where the tool starts
BEYOND_M = 0.02  # how far past the handle's way the tool aims, to press with some force
PATIENCE_STEPS = 40


def press(world: World, step: Step) -> Skill:
    """Push the handle along its way until what is wished for holds; stays on it, as buttons spring back."""
    joint = Joint(world, step.object)
    yield from travel(world, lambda: _before(joint, step), 0.015)
    for _ in range(PATIENCE_STEPS):
        left = left_to_go(joint, step)
        if abs(left) < 1e-3 or (step.want is not None and step.want.holds(world.env.view)):
            break
        yield _against(joint, left)
    if getattr(step.want, "kind", None) != "pressed":
        yield from rise(world, BEFORE_M, _before(joint, step))


def _before(joint: Joint, step: Step) -> Goal:
    way = joint.direction(left_to_go(joint, step))
    return Goal(_tip(joint) - BEFORE_M * way, _yaw(way), 0.0, FAST)


def _against(joint: Joint, left: float) -> Goal:
    way = joint.direction(left)
    point = joint.handle_after(joint.ahead(left)) + _tip(joint) - joint.world.site(joint.name, "handle")
    return Goal(point + BEYOND_M * way, _yaw(way), 0.0, SLOW)


def _tip(joint: Joint) -> np.ndarray:
    """Where the tool is when its fingertips are at the handle."""
    return joint.world.site(joint.name, "handle") + np.array([0, 0, TIP_M])


def _yaw(way: np.ndarray) -> float:
    """Fingers side by side across the way; any yaw when it goes straight down."""
    if float(np.hypot(way[0], way[1])) < 0.3:
        return 0.0
    yaw = float(np.arctan2(way[1], way[0]))
    return float((yaw + np.pi / 2) % np.pi - np.pi / 2)
