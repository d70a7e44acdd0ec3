"""Joint targets in, interpolated set points to the actuators out; and a tool pose in, joint targets out (mink)."""

from typing import NamedTuple

import mink
import mujoco
import numpy as np
from jaxtyping import Bool, Float

from sim_finetune.embodiment import Embodiment

SEGMENTS = 5  # set points a control period: 50 Hz at 10 Hz control
SHARES = np.arange(1, SEGMENTS + 1)[:, None] / SEGMENTS  # of a control period's way, at each
IK_ROUNDS = 6
IK_DONE_M = 5e-4
ROUND_STEP = 0.1  # [rad or m] a joint and round, for arms that lean
POSITION_COST, POSTURE_COST = 1.0, 1e-3  # in mink's least squares; the posture only breaks ties


class Wiring(NamedTuple):
    """Where a body's joints lie in a model's arrays, and what they may do. Built once by `wire`, arrays throughout: lists
    that are made into arrays at every control step cost more than their arithmetic.
    """

    qpos: np.ndarray  # of the joints [n]
    ctrl: np.ndarray  # of the joints' actuators [n]
    finger_qpos: np.ndarray
    finger_ctrl: np.ndarray
    low: Float[np.ndarray, "n"]
    high: Float[np.ndarray, "n"]
    speed: Float[np.ndarray, "n"]  # the most that a joint's set point moves [unit/s]
    shut: Float[np.ndarray, "f"]  # finger joints at opening 0
    span: Float[np.ndarray, "f"]  # from there to opening 1
    set_points: np.ndarray  # of the joints' and then the fingers' actuators [n + f]


def wire(model: mujoco.MjModel, embodiment: Embodiment, *, prefix: str) -> Wiring:
    """Find the embodiment's joints and actuators (`prefix` + name) in a model; KeyError names a missing one."""
    joints = [model.joint(prefix + name) for name in embodiment.joint_names]
    gripper = embodiment.gripper
    fingers = [model.joint(prefix + name) for name in gripper.joint_names]
    ctrl = np.array([model.actuator(prefix + name).id for name in embodiment.joint_names])
    finger_ctrl = np.array([model.actuator(prefix + name).id for name in gripper.joint_names])
    return Wiring(
        qpos=np.array([joint.qposadr[0] for joint in joints]),
        ctrl=ctrl,
        finger_qpos=np.array([finger.qposadr[0] for finger in fingers]),
        finger_ctrl=finger_ctrl,
        low=np.array([joint.range[0] for joint in joints]),
        high=np.array([joint.range[1] for joint in joints]),
        speed=np.array(embodiment.max_speed),
        shut=np.array(gripper.closed),
        span=np.array(gripper.open) - np.array(gripper.closed),
        set_points=np.concatenate([ctrl, finger_ctrl]),
    )


def limits(wiring: Wiring) -> tuple[Float[np.ndarray, "d"], Float[np.ndarray, "d"]]:
    """Lowest and highest action: joint limits [rad or m], then the opening's 0 and 1."""
    return np.append(wiring.low, 0.0), np.append(wiring.high, 1.0)


def read_state(data: mujoco.MjData, wiring: Wiring) -> Float[np.ndarray, "d"]:
    """Where the joints are [rad or m], and the fingers' mean opening (0 shut, 1 open, between around an object)."""
    return _with_opening(data.qpos[wiring.qpos], data.qpos[wiring.finger_qpos], wiring)


def read_target(data: mujoco.MjData, wiring: Wiring) -> Float[np.ndarray, "d"]:
    """The action that the actuators follow now: same layout as the state."""
    return _with_opening(data.ctrl[wiring.ctrl], data.ctrl[wiring.finger_ctrl], wiring)


def _with_opening(
    joints: Float[np.ndarray, "n"], fingers: Float[np.ndarray, "f"], wiring: Wiring
) -> Float[np.ndarray, "d"]:
    values = np.empty(len(joints) + 1)
    values[:-1] = joints
    values[-1] = np.add.reduce((fingers - wiring.shut) / wiring.span) / len(
        fingers
    )  # np.mean takes three times as long
    return values


def put_at(data: mujoco.MjData, wiring: Wiring, embodiment: Embodiment, state: Float[np.ndarray, "d"]) -> None:
    """Stand still at a state: joints, fingers and set points."""
    fingers = embodiment.fingers(state[-1])
    data.qpos[wiring.qpos] = data.ctrl[wiring.ctrl] = state[:-1]
    data.qpos[wiring.finger_qpos] = data.ctrl[wiring.finger_ctrl] = fingers


def check_action(action: np.ndarray, embodiment: Embodiment) -> Float[np.ndarray, "d"]:
    """A finite action of the right length as float64; ValueError names the joint at fault."""
    values = np.asarray(action, dtype=np.float64)
    if values.shape != (len(embodiment.joint_names) + 1,):
        names = embodiment.action_names
        raise ValueError(f"{embodiment.name} takes {len(names)} numbers {names}, got shape {values.shape}")
    if not np.isfinite(values).all():
        names, at_fault = embodiment.action_names, int(np.argmin(np.isfinite(values)))
        raise ValueError(f"action for {names[at_fault]!r} is {values[at_fault]}; it must be finite")
    return values


def check_period(model: mujoco.MjModel, control_hz: float) -> None:
    """ValueError when a control period is not a whole number of set points, each a whole number of physics steps."""
    per_second = 1 / model.opt.timestep / SEGMENTS
    steps = per_second / control_hz
    if control_hz <= 0 or abs(steps - round(steps)) > 1e-6 or round(steps) < 1:
        raise ValueError(f"control_hz must divide {per_second:g} (physics at {model.opt.timestep} s), got {control_hz}")


def way_to(
    start: Float[np.ndarray, "*n k"], wiring: Wiring, action: Float[np.ndarray, "*n d"], period_s: float
) -> Float[np.ndarray, "*n k"]:
    """How far each set point (joints, then fingers) goes in a control period, from where it is at the `start`.

    The action is cut to the joints' limits, and to as far as max_speed allows: what a robot's own controller does.
    """
    most = wiring.speed * period_s
    goal = np.minimum(np.maximum(action[..., :-1], wiring.low), wiring.high)  # np.clip takes ten times as long
    step = np.minimum(np.maximum(goal - start[..., : len(most)], -most), most)
    fingers = wiring.shut + np.minimum(np.maximum(action[..., -1:], 0.0), 1.0) * wiring.span
    return np.concatenate([start[..., : len(most)] + step, fingers], axis=-1) - start


def drive(
    model: mujoco.MjModel, data: mujoco.MjData, wiring: Wiring, action: Float[np.ndarray, "d"], period_s: float
) -> None:
    """Run physics for one control period while the set points move evenly to the action, as far as `way_to` lets."""
    where, ctrl = wiring.set_points, data.ctrl
    start = ctrl[where]
    way = way_to(start, wiring, action, period_s)
    substeps = round(period_s / model.opt.timestep / SEGMENTS)
    for set_points in start + SHARES * way:
        ctrl[where] = set_points
        mujoco.mj_step(model, data, nstep=substeps)


class ToolSolver:
    """Inverse kinematics of one body's tool by mink, on the body's own model without the scene.

    An arm of fewer than six axes cannot hold every pose. The rule: its yaml makes tilt cheap, so position comes first,
    then yaw, and the tool leans in the plane of the arm where it would not reach upright (`turn_cost`).
    """

    def __init__(self, *, embodiment: Embodiment):
        self._body = embodiment
        self._model = embodiment.spec().compile()
        self._wiring = wire(self._model, embodiment, prefix="")
        self._configuration = mink.Configuration(self._model)
        tilt, yaw = embodiment.turn_cost  # the tool's own z points along its approach, so x and y are tilt
        self._tool = mink.FrameTask(embodiment.tool_site, "site", POSITION_COST, [tilt, tilt, yaw], lm_damping=1e-3)
        self._posture = mink.PostureTask(self._model, cost=POSTURE_COST)
        self._limits: list[mink.Limit] = [mink.ConfigurationLimit(self._model)]
        self._leans = tilt < yaw
        if self._leans:  # where the tool may lean, larger linear steps overshoot and the arm swings to and fro
            steps = dict.fromkeys(embodiment.joint_names, ROUND_STEP)
            self._limits.append(mink.VelocityLimit(self._model, steps))
        self._bears_tool = self._joints_up_to_tool()
        self._set(np.array(embodiment.home))
        self._posture.set_target(self._configuration.q)
        self._upright = self._pose().rotation()  # the home's orientation counts as yaw 0

    def _joints_up_to_tool(self) -> Bool[np.ndarray, "n"]:
        """Which joints can move the tool; another arm's cannot, and stay as they are given."""
        body, bodies = self._model.site(self._body.tool_site).bodyid[0], set()
        while body:
            bodies.add(body)
            body = self._model.body_parentid[body]
        joints = [self._model.joint(name).id for name in self._body.joint_names]
        return np.array([self._model.jnt_bodyid[joint] in bodies for joint in joints])

    def _set(self, joints: Float[np.ndarray, "n"]) -> None:
        qpos = self._configuration.q.copy()
        qpos[self._wiring.qpos] = np.clip(joints, self._wiring.low, self._wiring.high)
        self._configuration.update(qpos)

    def _pose(self) -> mink.SE3:
        return self._configuration.get_transform_frame_to_world(self._body.tool_site, "site")

    def forward(self, joints: Float[np.ndarray, "n"]) -> tuple[Float[np.ndarray, "3"], float]:
        """Tool position [m, workspace frame] and yaw [rad] against the home's orientation."""
        self._set(joints)
        pose = self._pose()
        turn = (pose.rotation() @ self._upright.inverse()).as_matrix()
        return pose.translation() + self._body.base_m, float(np.arctan2(turn[1, 0], turn[0, 0]))

    def within_wrist(self, joints: Float[np.ndarray, "n"], yaw_rad: float) -> float:
        """`yaw_rad`; for an arm that leans, whose jaws are turned by its last joint alone, half a turn from it (jaws look
        alike) where that joint would hit its end on the way from `joints`.
        """
        if not self._leans:
            return yaw_rad
        yaw, last = self.forward(joints)[1], self._model.joint(self._body.joint_names[-1]).id
        ahead = 1.0 if self._configuration.data.xaxis[last, 2] > 0 else -1.0  # whether yaw grows with the joint
        alike = yaw_rad + np.pi * np.array([0, 1, -1])
        there = joints[-1] + ahead * (alike - yaw)
        free = (there > self._wiring.low[-1]) & (there < self._wiring.high[-1])
        return float(alike[np.argmax(free)])

    def solve(
        self, joints: Float[np.ndarray, "n"], tool_m: Float[np.ndarray, "3"], yaw_rad: float
    ) -> Float[np.ndarray, "n"]:
        """Joints near `joints` that bring the tool to `tool_m` [workspace frame], as at home but turned by `yaw_rad`.

        Out of reach, it is the least-squares nearest pose within the joint limits.
        """
        self._set(joints)
        rotation = mink.SO3.from_z_radians(yaw_rad) @ self._upright
        self._tool.set_target(mink.SE3.from_rotation_and_translation(rotation, tool_m - np.array(self._body.base_m)))
        for _ in range(IK_ROUNDS):
            velocity = mink.solve_ik(self._configuration, [self._tool, self._posture], 1.0, "daqp", limits=self._limits)
            self._configuration.integrate_inplace(velocity, 1.0)
            if np.linalg.norm(self._tool.compute_error(self._configuration)[:3]) < IK_DONE_M:
                break
        return np.where(self._bears_tool, self._configuration.q[self._wiring.qpos], joints)
