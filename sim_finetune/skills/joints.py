"""An articulated object in, how its handle moves and how far it is to go out; shared by the skills that move joints."""

from typing import NamedTuple

import mujoco
import numpy as np
from jaxtyping import Float

from sim_finetune.skills.base import Step, World, smallest_turn

LOOK_AHEAD_M = 0.05  # of the tool before the handle: with less, the controller's lag would let it stop
LOOK_AHEAD_RAD = 0.5
SPARE = 0.15  # of its range, more than is asked
UPRIGHT = 0.7  # share of the joint's axis that is vertical, from which on the hand turns with the joint
COMFORTABLE_RAD = 2.2  # of the tool's yaw: wrists go no farther


class Joint(NamedTuple):
    """The one joint of an articulated object, in a running scene."""

    world: World
    name: str

    @property
    def id(self) -> int:
        return int(self.world.env.model.joint(self.world.env.task_spec.object(self.name).joint_name).id)

    def value(self) -> float:
        """Where it stands [rad or m]."""
        return float(self.world.env.data.qpos[self.world.env.model.jnt_qposadr[self.id]])

    def fraction(self) -> float:
        """Where it stands in its range, 0 shut and 1 fully open."""
        low, high = self.world.env.task_spec.object(self.name).joint_range
        return (self.value() - low) / (high - low)

    def slides(self) -> bool:
        return bool(self.world.env.model.jnt_type[self.id] == mujoco.mjtJoint.mjJNT_SLIDE)

    def axis(self) -> Float[np.ndarray, "3"]:
        return self.world.env.data.xaxis[self.id].copy()

    def handle_after(self, change: float) -> Float[np.ndarray, "3"]:
        """Where the handle will be when the joint has moved by `change` [rad or m]."""
        handle, axis = self.world.site(self.name, "handle"), self.axis()
        if self.slides():
            return handle + change * axis
        quat, arm = np.zeros(4), np.zeros(3)
        anchor = self.world.env.data.xanchor[self.id]
        mujoco.mju_axisAngle2Quat(quat, axis, change)
        mujoco.mju_rotVecQuat(arm, handle - anchor, quat)
        return anchor + arm

    def arm_m(self) -> float:
        """Distance of the handle from a hinge's axis."""
        arm = self.world.site(self.name, "handle") - self.world.env.data.xanchor[self.id]
        return float(np.linalg.norm(np.cross(self.axis(), arm)))

    def ahead(self, left: float) -> float:
        """Of what is left to go [rad or m], as much as the tool may aim ahead of the handle."""
        most = LOOK_AHEAD_M if self.slides() else min(LOOK_AHEAD_RAD, LOOK_AHEAD_M / max(self.arm_m(), 1e-3))
        return float(np.clip(left, -most, most))

    def direction(self, left: float) -> Float[np.ndarray, "3"]:
        """Unit vector in which the handle sets off."""
        way = self.handle_after(np.sign(left) * 1e-3) - self.world.site(self.name, "handle")
        return way / max(float(np.linalg.norm(way)), 1e-12)

    def turning(self) -> float:
        """Turn of the hand about the vertical per unit of the joint: ±1 for a door, 0 for a slide or a lid."""
        upright = float(self.axis()[2])
        return 0.0 if self.slides() or abs(upright) < UPRIGHT else upright


def wanted_fraction(step: Step) -> float:
    """The fraction of its range where the joint shall stand: amid what is allowed, open where nothing is said."""
    kind, on = getattr(step.want, "kind", None), getattr(step.want, "on", True)
    if kind in ("toggled", "pressed"):
        return 1.0 if on else 0.0
    low, high = getattr(step.want, "at_least", None), getattr(step.want, "at_most", None)
    if low is not None and high is not None:
        return float((low + high) / 2)
    if high is not None:
        return 0.0
    return 1.0 if low is None else min(1.0, low + SPARE)


def left_to_go(joint: Joint, step: Step) -> float:
    """How far the joint still has to move [rad or m], with sign."""
    low, high = joint.world.env.task_spec.object(joint.name).joint_range
    return (wanted_fraction(step) - joint.fraction()) * (high - low)


def jaw_yaw(joint: Joint, left: float) -> float:
    """The tool's yaw to take the handle with: of the two that look alike, the one that leaves room for the turn."""
    across = joint.world.axes(joint.name, "handle")[:, 0]
    yaw = smallest_turn(float(np.arctan2(across[1], across[0])) - np.pi / 2, np.pi)
    choices = [yaw - np.pi, yaw, yaw + np.pi]
    return min(choices, key=lambda start: max(abs(start), abs(start + joint.turning() * left)))
