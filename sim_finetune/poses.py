"""A running environment and an object's name in; where it stands now out; and changes to it, from outside physics."""

import mujoco
import numpy as np
from jaxtyping import Float

from sim_finetune.env import TaskEnv

FREE, BALL = mujoco.mjtJoint.mjJNT_FREE, mujoco.mjtJoint.mjJNT_BALL
RISE_M = 0.01  # more than an object rises when it is pushed


def is_free(env: TaskEnv, name: str) -> bool:
    """Whether the object has a free joint of its own."""
    joint = mujoco.mj_name2id(env.model, mujoco.mjtObj.mjOBJ_JOINT, name)
    return joint >= 0 and env.model.jnt_type[joint] == FREE


def has_pose(env: TaskEnv, name: str) -> bool:
    """Whether the object is one body that can be put somewhere: free or fixed, but no rope and no pile."""
    return is_free(env, name) or env.model.body(name).mocapid[0] >= 0


def free_qpos(env: TaskEnv, name: str) -> slice:
    """Where in qpos the pose of a free object lies."""
    assert is_free(env, name), name
    start = int(env.model.joint(name).qposadr[0])
    return slice(start, start + 7)


def get_pose(env: TaskEnv, name: str) -> Float[np.ndarray, "7"]:
    """Position [m] and quaternion (w x y z) of an object that has a pose."""
    if is_free(env, name):
        return env.data.qpos[free_qpos(env, name)].copy()
    mocap = env.model.body(name).mocapid[0]
    return np.append(env.data.mocap_pos[mocap], env.data.mocap_quat[mocap])


def set_pose(env: TaskEnv, name: str, pose: Float[np.ndarray, "7"]) -> None:
    """Put an object that has a pose there. Call mj_forward before looking."""
    if is_free(env, name):
        env.data.qpos[free_qpos(env, name)] = pose
    else:
        mocap = env.model.body(name).mocapid[0]
        env.data.mocap_pos[mocap], env.data.mocap_quat[mocap] = pose[:3], pose[3:]


def turned(pose: Float[np.ndarray, "7"], angle_rad: float) -> Float[np.ndarray, "7"]:
    """The pose turned about the vertical through its own position."""
    quat, turn = np.zeros(4), np.array([np.cos(angle_rad / 2), 0, 0, np.sin(angle_rad / 2)])
    mujoco.mju_mulQuat(quat, turn, pose[3:])
    return np.append(pose[:3], quat)


def own_qpos(env: TaskEnv, name: str) -> list[int]:
    """Every index of qpos that belongs to the object: its free joint, its slides and hinges, a chain's links."""
    joints = [joint for joint in range(env.model.njnt) if owner(env, env.model.jnt_bodyid[joint]) == name]
    return [index for joint in joints for index in _qpos_of(env.model, joint)]


def owner(env: TaskEnv, body: int) -> str:
    """Name of the object, or prefix of the robot, that a body belongs to: the part before the slash."""
    return env.model.body(body).name.partition("/")[0]


def _qpos_of(model: mujoco.MjModel, joint: int) -> range:
    start, kind = model.jnt_qposadr[joint], model.jnt_type[joint]
    return range(start, start + (7 if kind == FREE else 4 if kind == BALL else 1))


def robot_qpos(env: TaskEnv) -> list[int]:
    """Every index of qpos that belongs to the robot."""
    return [*env.wiring.qpos, *env.wiring.finger_qpos]


def qpos_of(env: TaskEnv, physics: Float[np.ndarray, "*t p"]) -> Float[np.ndarray, "*t q"]:
    """The part of states of `get_physics` that is qpos."""
    start = mujoco.mj_stateSize(env.model, mujoco.mjtState.mjSTATE_TIME)
    return physics[..., start : start + env.model.nq]


def carried(env: TaskEnv, physics: Float[np.ndarray, "t p"]) -> list[str]:
    """The free objects that went up and came down again in an episode: they were in the gripper."""
    qpos, names = qpos_of(env, physics), [thing.name for thing in env.task_spec.objects if is_free(env, thing.name)]
    heights = {name: qpos[:, free_qpos(env, name)][:, 2] for name in names}
    return [name for name, z in heights.items() if z.max() > max(z[0], z[-1]) + RISE_M]
