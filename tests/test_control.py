"""The controller arrives, obeys limits and names a bad action; inverse kinematics undoes forward kinematics."""

import numpy as np
import pytest
from simulation import BODIES, make_env

from sim_finetune.control import ToolSolver, limits
from sim_finetune.embodiment import load_embodiment


@pytest.mark.parametrize("name", BODIES)
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
