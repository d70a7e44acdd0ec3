"""The controller arrives, obeys limits and names a bad action; inverse kinematics undoes forward kinematics."""

import mujoco
import numpy as np
import pytest
from simulation import BODIES, make_env

from sim_finetune.control import ToolSolver, limits
from sim_finetune.embodiment import load_embodiment
from sim_finetune.expert import Expert

LEANING = [name for name in BODIES if load_embodiment(name).turn_cost[0] < load_embodiment(name).turn_cost[1]]


@pytest.mark.parametrize("name", [name for name in BODIES if name not in LEANING])
def test_inverse_kinematics_undoes_forward(name):
    body = load_embodiment(name)
    solver, rng = ToolSolver(embodiment=body), np.random.default_rng(0)
    for _ in range(20):
        wanted = np.array([*rng.uniform(-0.2, 0.2, 2), rng.uniform(0.03, 0.15)])
        yaw, joints = rng.uniform(-1.2, 1.2), np.array(body.home)
        for _ in range(4):
            joints = solver.solve(joints, wanted, yaw)
        tool, turned = solver.forward(joints)
        np.testing.assert_allclose(tool, wanted, atol=2e-3)
        assert turned == pytest.approx(yaw, abs=0.02)


@pytest.mark.parametrize("name", LEANING)
def test_an_arm_of_five_axes_arrives_with_its_yaw_and_leans_only_along_itself(name):
    """Where it gets upright it is upright, farther out it leans in the plane of the arm: all else is as asked."""
    body = load_embodiment(name)
    solver, rng = ToolSolver(embodiment=body), np.random.default_rng(0)
    leans = []
    for _ in range(40):
        wanted = np.array([*rng.uniform((-0.1, -0.2), (0.17, 0.2)), rng.uniform(0.03, 0.1)])
        yaw, joints = rng.uniform(-0.7, 0.3), np.array(body.home)  # within the wrist, wherever the arm points
        for _ in range(20):
            joints = solver.solve(joints, wanted, yaw)
        tool, turned = solver.forward(joints)
        np.testing.assert_allclose(tool, wanted, atol=5e-3)
        assert turned == pytest.approx(yaw, abs=0.1)
        up, out = tilt(body, joints), wanted[:2] - body.base_m[:2]
        across = np.cross([*out / np.linalg.norm(out), 0], [0, 0, 1.0])
        assert abs(up @ across) < 0.15
        leans.append((np.linalg.norm(out), np.arccos(np.clip(up[2], -1, 1))))
    assert max(lean for far, lean in leans if far < 0.27) < 0.06
    assert max(lean for far, lean in leans if far > 0.38) > 0.3


@pytest.mark.parametrize("name", LEANING)
def test_jaws_turn_the_other_way_where_the_wrist_would_hit_its_end(name):
    body = load_embodiment(name)
    solver, home = ToolSolver(embodiment=body), np.array(body.home)
    assert solver.within_wrist(home, 0.3) == 0.3
    yaws = np.linspace(-np.pi / 2, np.pi / 2, 13)
    chosen = np.array([solver.within_wrist(home, yaw) for yaw in yaws])
    assert (chosen != yaws).any()
    np.testing.assert_allclose(np.sin(chosen - yaws), 0, atol=1e-9)
    for yaw in chosen:
        joints, tool = home, solver.forward(home)[0]
        for _ in range(20):
            step = np.clip(yaw - solver.forward(joints)[1], -0.3, 0.3)
            joints = solver.solve(joints, tool, solver.forward(joints)[1] + step)
        assert abs(np.sin(solver.forward(joints)[1] - yaw)) < 0.02


def test_an_arm_of_more_axes_turns_as_it_is_asked():
    body = load_embodiment("panda")
    assert ToolSolver(embodiment=body).within_wrist(np.array(body.home), 3.0) == 3.0


def tilt(body, joints):
    """Direction (3,) of the tool's own z axis."""
    model = body.spec().compile()
    data = mujoco.MjData(model)
    for joint, value in zip(body.joint_names, joints, strict=True):
        data.joint(joint).qpos[0] = value
    mujoco.mj_forward(model, data)
    return data.site(body.tool_site).xmat.reshape(3, 3)[:, 2]


@pytest.mark.parametrize("name", BODIES)
def test_set_points_are_reached_and_cut_to_the_limits(name):
    env = make_env(body=name)
    env.reset(seed=0)
    target = env.target() + np.append(np.full(len(env.embodiment.joint_names), 0.03), -0.5)
    for _ in range(15):
        env.step(target)
    np.testing.assert_allclose(env.state(), target, atol=5e-3)
    env.step(np.full(len(target), 1e3))
    low, high = limits(env.wiring)
    assert (env.target() <= high + 1e-9).all()
    assert (env.target() >= low - 1e-9).all()


@pytest.mark.parametrize("name", BODIES)
def test_a_body_told_to_stay_stays(name):
    env = make_env(body=name)
    env.reset(seed=0)
    stay, before = env.target(), env.state()
    for _ in range(20):
        env.step(stay)
        np.testing.assert_allclose(env.state(), before, atol=2e-3)


def test_the_arm_without_the_tool_is_left_alone():
    env = make_env(body="bimanual")
    env.reset(seed=3)
    expert, before = Expert(env, noise=0.0, rng=np.random.default_rng(0)), env.target()
    other = [name.startswith("left") for name in env.embodiment.action_names]
    for _ in range(10):
        action = expert.act()
        np.testing.assert_allclose(action[other], before[other], atol=1e-6)
        env.step(action)
    assert np.abs(env.target() - before)[~np.array(other)].max() > 0.1


def test_a_step_moves_no_joint_faster_than_the_robot_may():
    env = make_env(body="panda")
    env.reset(seed=0)
    before = env.target()
    env.step(env.action_space.high)
    moved = np.abs(env.target() - before)[:-1]
    assert (moved <= np.array(env.embodiment.max_speed) * 0.1 + 1e-9).all()


def test_bad_actions_are_named():
    env = make_env()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"hand takes 5 numbers \['joint1'.*got shape \(3,\)"):
        env.step(np.zeros(3))
    with pytest.raises(ValueError, match="action for 'joint2' is nan; it must be finite"):
        env.step(np.array([0, np.nan, 0, 0, 0]))


def test_control_rate_must_fit_the_physics():
    with pytest.raises(ValueError, match="control_hz must divide 40"):
        make_env(control_hz=7)
