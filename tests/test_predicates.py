"""Each predicate flips exactly where its tolerance says."""

import mujoco
import numpy as np
import pytest
from simulation import make_env

from sim_finetune.predicates.view import length_m, mean


@pytest.fixture
def still(request):
    """(env, mover): an environment, and a function that puts an object somewhere with forward kinematics only."""
    env = make_env(request.param)
    env.reset(seed=0)

    def put(name, pos_m):
        mocap = env.model.body(name).mocapid[0]
        if mocap >= 0:
            env.data.mocap_pos[mocap] = pos_m
            env.data.mocap_quat[mocap] = [1, 0, 0, 0]
        else:
            env.data.joint(name).qpos[:] = [*pos_m, 1, 0, 0, 0]
        mujoco.mj_forward(env.model, env.data)

    return env, put


@pytest.mark.parametrize("still", ["reach"], indirect=True)
def test_tool_near(still):
    env, put = still
    goal, tool = env.task_spec.goal, env.view.site(env.view.tool).copy()
    under = tool - [0, 0, goal.above_m + 0.024]
    put("target", under)
    assert goal.holds(env.view)
    assert goal.progress(env.view) == 1.0
    put("target", under + np.array([goal.within_m - 0.001, 0, 0]))
    assert goal.holds(env.view)
    put("target", under + np.array([goal.within_m + 0.001, 0, 0]))
    assert not goal.holds(env.view)
    put("target", under - [0, 0, goal.within_m + 0.001])  # right above, but too high
    assert not goal.holds(env.view)


@pytest.mark.parametrize("still", ["push_to_zone"], indirect=True)
def test_in_zone_counts_the_footprint_and_needs_the_table(still):
    env, put = still
    goal, half = env.task_spec.goal, 0.06
    put("zone", [0, 0, 0])
    put("target", [0, 0, 0.024])
    assert goal.holds(env.view)
    assert goal.covered(env.view) == 1.0
    put("target", [half, 0, 0.024])
    assert goal.covered(env.view) == pytest.approx(0.5, abs=0.1)
    assert not goal.holds(env.view)
    put("target", [0, 0, 0.1])
    assert not goal.holds(env.view)


@pytest.mark.parametrize("still", ["pick_and_place"], indirect=True)
def test_on_top_needs_height_and_release(still):
    env, put = still
    on_top, released = env.task_spec.goal.parts
    tool = env.view.site(env.view.tool).copy()
    put("stand", [0.1, 0, 0.02])
    put("target", [0.1, 0, 0.062])
    assert on_top.holds(env.view)
    assert env.task_spec.goal.holds(env.view)
    put("target", [0.1, 0, 0.062 + 0.012])
    assert not on_top.holds(env.view)
    put("target", [0.1 + on_top.within_m + 0.001, 0, 0.062])
    assert not on_top.holds(env.view)
    put("target", tool - [0, 0, 0.022])
    assert not released.holds(env.view)
    assert not env.task_spec.goal.holds(env.view)


@pytest.mark.parametrize("still", ["open_drawer"], indirect=True)
def test_joint_fraction(still):
    env, _ = still
    goal, joint = env.task_spec.goal, env.data.joint("drawer/slide")
    high = env.model.joint("drawer/slide").range[1]
    for fraction, holds in ((0.0, False), (goal.at_least - 0.01, False), (goal.at_least + 0.01, True)):
        joint.qpos[0] = fraction * high
        assert goal.holds(env.view) is holds
        assert goal.progress(env.view) == pytest.approx(np.clip(fraction / goal.at_least, 0, 1))


def test_the_quick_mean_and_length_are_numpys_to_the_bit():
    rng = np.random.default_rng(0)
    for count in (1, 2, 3, 5, 8, 16) * 50:
        values = rng.normal(size=count) * 10.0 ** rng.integers(-9, 3, count)
        assert mean(values.tolist()) == np.mean(values) and length_m(values) == np.linalg.norm(values)
