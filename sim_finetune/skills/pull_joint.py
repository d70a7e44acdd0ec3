"""An articulated object in, goals for the tool out: jaws round its handle, and along the handle's way."""

import numpy as np

from sim_finetune.skills.base import (
    CLOSE_ENOUGH_M,
    FAST,
    GRIP_STEPS,
    HANDLE_GAP_M,
    SLOW,
    Goal,
    Skill,
    Step,
    World,
    up,
    wait,
)
from sim_finetune.skills.joints import COMFORTABLE_RAD, Joint, jaw_yaw, left_to_go
from sim_finetune.skills.press import press
from sim_finetune.skills.release import let_go
from sim_finetune.skills.travel import travel

BELOW_M = 0.006  # of the fingertips under the handle's middle
SLIPPED_M = 0.04
STUCK_STEPS, ENOUGH_STEPS = 12, 3  # without progress
PROGRESS = 0.01  # of the joint's range
TRIES = 2


def pull_joint(world: World, step: Step) -> Skill:
    """Take the handle, follow its way until the joint stands where it shall, let go; push it when it cannot be held."""
    joint = Joint(world, step.object)
    for _ in range(TRIES):
        before = joint.fraction()
        yield from _take(joint, jaw_yaw(joint, left_to_go(joint, step)))
        yield from _follow(joint, step)
        yield from let_go(world, HANDLE_GAP_M)
        if _there(joint, step):
            return
        if abs(joint.fraction() - before) < PROGRESS:
            break
    yield from press(world, step)


def _there(joint: Joint, step: Step) -> bool:
    return bool(step.want is not None and step.want.holds(joint.world.env.view)) or abs(left_to_go(joint, step)) < 1e-3


def _take(joint: Joint, yaw_rad: float) -> Skill:
    def at(height_m: float, gap_m: float) -> Goal:
        return Goal(up(joint.world.site(joint.name, "handle"), height_m), yaw_rad, gap_m, FAST)

    yield from travel(joint.world, lambda: at(0.06, HANDLE_GAP_M), 0.012)
    yield from travel(joint.world, lambda: at(-BELOW_M, HANDLE_GAP_M), CLOSE_ENOUGH_M)
    yield from wait(GRIP_STEPS, at(-BELOW_M, 0.0))


def _follow(joint: Joint, step: Step) -> Skill:
    """A point before the handle on its way, until it is there, slips out of the fingers or moves no more."""
    start, yaw, best, idle = joint.value(), joint.world.tool_yaw(), np.inf, 0
    while idle < _patience(joint, step) and not _arrived(joint, step):
        left = left_to_go(joint, step)
        if float(np.linalg.norm(joint.world.tool() - joint.world.site(joint.name, "handle"))) > SLIPPED_M:
            return
        ahead = joint.ahead(left)
        turn = yaw + joint.turning() * (joint.value() + ahead - start)
        if abs(turn) > COMFORTABLE_RAD:
            return
        yield Goal(up(joint.handle_after(ahead), -BELOW_M), turn, 0.0, SLOW)
        best, idle = (abs(left), 0) if abs(left) < best - 1e-3 else (best, idle + 1)


def _patience(joint: Joint, step: Step) -> int:
    """Steps without progress: few where it is good enough already."""
    enough = step.want is not None and step.want.holds(joint.world.env.view)
    return ENOUGH_STEPS if enough else STUCK_STEPS


def _arrived(joint: Joint, step: Step) -> bool:
    low, high = joint.world.env.task_spec.object(joint.name).joint_range
    return abs(left_to_go(joint, step)) < 0.04 * (high - low)
