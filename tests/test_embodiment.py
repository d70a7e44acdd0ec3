"""Our MJCF of each arm moves as its maker's published Denavit–Hartenberg table says; what is not there is named."""

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from simulation import BODIES

from sim_finetune.embodiment import check_embodiment, load_embodiment

# Modified (Craig) DH, rows (alpha_{i-1}, a_{i-1}, d_i): https://frankaemika.github.io/docs/control_parameters.html
PANDA = [
    (0, 0, 0.333),
    (-np.pi / 2, 0, 0),
    (np.pi / 2, 0, 0.316),
    (np.pi / 2, 0.0825, 0),
    (-np.pi / 2, -0.0825, 0.384),
    (np.pi / 2, 0, 0),
    (np.pi / 2, 0.088, 0),
]
PANDA_FLANGE_M = 0.107
# Standard DH, rows (alpha_i, a_i, d_i): Universal Robots, "DH Parameters for calculations of kinematics and dynamics".
UR5E = [
    (np.pi / 2, 0, 0.1625),
    (0, -0.425, 0),
    (0, -0.3922, 0),
    (np.pi / 2, 0, 0.1333),
    (-np.pi / 2, 0, 0.0997),
    (0, 0, 0.0996),
]
# Modified DH, rows (alpha_{i-1}, a_{i-1}, d_i), and offsets of joints 2 and 3: "Kinematic and dynamic parameters of UFACTORY
# xArm series", https://help.ufactory.cc
XARM6 = [
    (0, 0, 0.267),
    (-np.pi / 2, 0, 0),
    (0, 0.28948866, 0),
    (-np.pi / 2, 0.0775, 0.3425),
    (np.pi / 2, 0, 0),
    (-np.pi / 2, 0.076, 0.097),
]
XARM6_OFFSETS = [0, -1.3849179, 1.3849179, 0, 0, 0]
# Joint origins, xyz [m] and roll-pitch-yaw [rad] in the parent link; every axis is z. The makers of SO-101 publish no DH
# table but this: https://github.com/TheRobotStudio/SO-ARM100/blob/main/Simulation/SO101/so101_new_calib.urdf
SO101 = [
    ((0.0207909, -0.0230745, 0.0948817), (-np.pi, 0, np.pi / 2)),
    ((-0.0303992, -0.0182778, -0.0542), (-np.pi / 2, -np.pi / 2, 0)),
    ((-0.11257, -0.028, 0), (0, 0, np.pi / 2)),
    ((-0.1349, 0.0052, 0), (0, 0, -np.pi / 2)),
    ((0, -0.0611, 0.0181), (np.pi / 2, 0, np.pi)),
]
SO101_BASE = (
    (0.020791, 0.0157608, 0.0324817),
    (0, 0, -np.pi / 2),
)  # its frame "baseframe", where the arm looks along x
SO101_GRIPPER = ((-0.0079, -0.000218121, -0.0981274), (0, 0, 0))  # its frame "gripperframe", with the last link's axes
FLANGES = {"panda": "flange", "ur5e": "flange", "xarm6": "flange", "so101": "gripperframe"}


def turn_x(alpha, a):
    """Screw along x: turn by alpha, move by a."""
    c, s = np.cos(alpha), np.sin(alpha)
    return np.array([[1, 0, 0, a], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1.0]])


def turn_z(theta, d):
    """Screw along z: turn by theta, move by d."""
    c, s = np.cos(theta), np.sin(theta)
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, d], [0, 0, 0, 1.0]])


def origin(xyz, rpy):
    """Pose (4, 4) of a joint's origin as URDF means it: roll, pitch, yaw about the parent's fixed axes."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = Rotation.from_euler("xyz", rpy).as_matrix(), xyz
    return pose


def flange_by_table(name, joints):
    """Pose (4, 4) of the flange in the base frame by the published table."""
    pose = np.eye(4)
    if name == "so101":
        pose = np.linalg.inv(origin(*SO101_BASE))
        for place, theta in zip(SO101, joints, strict=True):
            pose = pose @ origin(*place) @ turn_z(theta, 0)
        return pose @ origin(*SO101_GRIPPER)
    if name == "panda":
        for (alpha, a, d), theta in zip(PANDA, joints, strict=True):
            pose = pose @ turn_x(alpha, a) @ turn_z(theta, d)
        return pose @ turn_z(0, PANDA_FLANGE_M)
    if name == "xarm6":
        for (alpha, a, d), theta in zip(XARM6, joints + np.array(XARM6_OFFSETS), strict=True):
            pose = pose @ turn_x(alpha, a) @ turn_z(theta, d)
        return pose
    for (alpha, a, d), theta in zip(UR5E, joints, strict=True):
        pose = pose @ turn_z(theta, d) @ turn_x(alpha, a)
    return pose


@pytest.mark.parametrize("name", FLANGES)
def test_forward_kinematics_equal_the_published_table(name):
    body = load_embodiment(name)
    model = body.spec().compile()
    data = mujoco.MjData(model)
    ranges = np.array([model.joint(joint).range for joint in body.joint_names])
    last = body.joint_names[-1]
    for joints in np.random.default_rng(0).uniform(ranges[:, 0], ranges[:, 1], (50, len(ranges))):
        for joint, angle in zip(body.joint_names, joints, strict=True):
            data.joint(joint).qpos[0] = angle
        mujoco.mj_forward(model, data)
        table = flange_by_table(name, joints)
        np.testing.assert_allclose(data.site(FLANGES[name]).xpos, table[:3, 3], atol=1e-6)
        axis = data.xmat[model.jnt_bodyid[model.joint(last).id]].reshape(3, 3)[:, 2]
        np.testing.assert_allclose(axis, table[:3, 2], atol=1e-6)


# Published joint ranges [rad], from the pages above; UR5e: all of 360 degrees either way.
RANGES = {
    "panda": "-2.8973 2.8973 -1.7628 1.7628 -2.8973 2.8973 -3.0718 -0.0698 -2.8973 2.8973 -0.0175 3.7525 -2.8973 2.8973",
    "ur5e": "-6.2832 6.2832 " * 6,
    "xarm6": "-6.2832 6.2832 -2.059488 2.094395 -3.92699 0.191986 -6.2832 6.2832 -1.692969 3.141593 -6.2832 6.2832",
    "so101": "-1.91986 1.91986 -1.74533 1.74533 -1.69 1.69 -1.65806 1.65806 -2.79253 2.79253",
}


@pytest.mark.parametrize("name", RANGES)
def test_joints_go_as_far_as_their_makers_say(name):
    body = load_embodiment(name)
    model = body.spec().compile()
    ours = [end for joint in body.joint_names for end in model.joint(joint).range]
    np.testing.assert_allclose(ours, [float(end) for end in RANGES[name].split()], rtol=1e-5)


@pytest.mark.parametrize(("prefix", "base_m"), [("right_", (0, -0.2, 0)), ("left_", (0, 0.3, 0))])
def test_each_of_two_arms_is_the_published_one(prefix, base_m):
    model = load_embodiment("bimanual").spec().compile()
    data = mujoco.MjData(model)
    for joints in np.random.default_rng(0).uniform(-3, 3, (20, 6)):
        for number, angle in enumerate(joints, start=1):
            data.joint(f"{prefix}joint{number}").qpos[0] = angle
        mujoco.mj_forward(model, data)
        flange_m = flange_by_table("ur5e", joints)[:3, 3] + base_m
        np.testing.assert_allclose(data.site(f"{prefix}flange").xpos, flange_m, atol=1e-6)


def test_the_flanges_turn_with_the_last_link_of_the_table():
    for name, mount_rad in (
        ("panda", -np.pi / 4),
        ("ur5e", np.pi / 2),
        ("xarm6", 0.0),
    ):  # how the hand is screwed to the flange
        body = load_embodiment(name)
        model = body.spec().compile()
        data = mujoco.MjData(model)
        for joint, angle in zip(body.joint_names, body.home, strict=True):
            data.joint(joint).qpos[0] = angle
        mujoco.mj_forward(model, data)
        table = flange_by_table(name, body.home) @ turn_z(mount_rad, 0)
        np.testing.assert_allclose(data.site("flange").xmat.reshape(3, 3), table[:3, :3], atol=1e-6)


@pytest.mark.parametrize("name", BODIES)
def test_home_is_within_limits_with_the_tool_over_the_table(name):
    body = load_embodiment(name)
    model = body.spec().compile()
    data = mujoco.MjData(model)
    for joint, value, noise in zip(body.joint_names, body.home, body.home_noise, strict=True):
        low, high = model.joint(joint).range
        assert low <= value - noise, joint
        assert value + noise <= high, joint
        data.joint(joint).qpos[0] = value
    mujoco.mj_forward(model, data)
    x, y, z = data.site(body.tool_site).xpos + body.base_m
    assert abs(x) < 0.25
    assert abs(y) < 0.25
    assert 0.08 < z < 0.25


TIPS = {"hand": ("thumb2", "index2"), "fingers": ("thumb3", "index3"), "so101": ("fixed_jaw", "moving_jaw")}
TIPS |= {"bimanual": ("right_finger1", "right_finger2")}


@pytest.mark.parametrize("name", BODIES)
def test_gap_of_the_gripper_is_where_the_fingertips_are(name):
    body = load_embodiment(name)
    model = body.spec().compile()
    data = mujoco.MjData(model)
    tips = [model.geom(tip).id for tip in TIPS.get(name, ("finger1", "finger2"))]
    for gap_m in (0.02, 0.045, 0.07):
        for joint, value in zip(body.gripper.joint_names, body.fingers(body.gripper.opening(gap_m)), strict=True):
            low, high = model.joint(joint).range
            assert low <= value <= high, joint
            data.joint(joint).qpos[0] = value
        mujoco.mj_forward(model, data)
        assert mujoco.mj_geomDistance(model, data, *tips, 1.0, np.zeros(6)) == pytest.approx(gap_m, abs=6e-3)


def test_an_opening_is_cut_to_what_the_fingers_can():
    body = load_embodiment("panda")
    assert body.gripper.opening(1.0) == 1.0
    assert body.gripper.opening(-1.0) == 0.0
    np.testing.assert_allclose(body.fingers(0.0), body.gripper.closed)
    np.testing.assert_allclose(body.fingers(1.0), body.gripper.open)
    assert body.state_names == body.action_names == [*body.joint_names, "gripper"]


def test_unknown_names_list_what_there_is():
    with pytest.raises(
        ValueError,
        match=r"no embodiment 'pr2'; there are \['bimanual', 'fingers', 'hand', 'panda', 'so101', 'ur5e', 'xarm6'\], or",
    ):
        load_embodiment("pr2")
    hand = load_embodiment("hand")
    with pytest.raises(ValueError, match=r"no joint 'joint9'; hand.xml has \['joint1'"):
        check_embodiment(hand._replace(joint_names=["joint9"]))
    with pytest.raises(ValueError, match=r"no site 'nose'; hand.xml has \['tool'\]"):
        check_embodiment(hand._replace(tool_site="nose"))
    with pytest.raises(ValueError, match=r"hand: home needs one number for each of \['joint1'"):
        check_embodiment(hand._replace(home=[0.0]))
    with pytest.raises(ValueError, match=r"hand: closed needs one number for each of \['thumb'"):
        check_embodiment(hand._replace(gripper=hand.gripper._replace(closed=[0.0])))
    with pytest.raises(ValueError, match=r"hand: turn_cost needs one number for each of \['tilt', 'yaw'\]"):
        check_embodiment(hand._replace(turn_cost=[0.5]))
