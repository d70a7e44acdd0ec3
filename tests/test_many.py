"""Runs side by side are the environment's own: same states, whatever the number of threads; Warp's are near them."""

import sys

import numpy as np
import pytest
from simulation import make_env

from sim_finetune.many import on_threads, on_warp, set_points


def runs(name, count=3, periods=6):
    """An environment, moments [n, p] of its starts, and actions [n, t, d] that wander from there."""
    env = make_env(name, "panda")
    moments, actions = [], []
    for seed in range(count):
        env.reset(seed=seed)
        moments.append(env.get_physics())
        steps = np.random.default_rng(seed).normal(0, 0.06, (periods, len(env.target())))
        actions.append(env.target() + np.cumsum(steps, axis=0))
    return env, np.stack(moments), np.stack(actions)


@pytest.mark.parametrize("name", ["reach", "open_drawer"])
def test_threads_play_what_the_environment_plays(name):
    env, moments, actions = runs(name)
    after = on_threads(env, moments, actions, threads=2)
    for i, moment in enumerate(moments):
        env.set_physics(moment)
        for t, action in enumerate(actions[i]):
            env.step(action)
            stepped, target, time_s = env.get_physics(), env.target(), env.data.time
            progress, tool = env.task_spec.goal.progress(env.view), env.view.site(env.view.tool).copy()
            env.set_physics(after[i, t])
            assert env.data.time == pytest.approx(time_s)
            np.testing.assert_array_equal(env.target(), target)
            np.testing.assert_allclose(env.view.site(env.view.tool), tool, atol=1e-5)
            assert env.task_spec.goal.progress(env.view) == pytest.approx(progress, abs=1e-4)
            env.set_physics(stepped)


def test_what_stands_on_a_fixed_object_stays_there():
    env, _, actions = runs("pick_and_place", count=1)
    block = env.data.joint("target").qpos
    block[:3] = env.view.site("stand/top")
    block[2] += env.task_spec.object("target").rest_height_m
    before = block.copy()
    env.set_physics(on_threads(env, env.get_physics()[None], actions, threads=1)[0, -1])
    np.testing.assert_allclose(env.data.joint("target").qpos, before, atol=1e-3)


def test_neither_threads_nor_neighbours_matter():
    env, moments, actions = runs("push_to_zone")
    together = on_threads(env, moments, actions, threads=2)
    np.testing.assert_array_equal(together, on_threads(env, moments, actions, threads=1))
    np.testing.assert_array_equal(together[1:2], on_threads(env, moments[1:2], actions[1:2], threads=1))


def test_set_points_move_no_faster_than_the_robot_may():
    env, moments, actions = runs("reach")
    ctrl = set_points(env, moments, actions + 100)[..., env.wiring.ctrl]
    moved = np.abs(np.diff(ctrl, axis=1)).max(axis=(0, 1))
    assert (moved <= np.array(env.embodiment.max_speed) * 0.02 + 1e-9).all()
    assert (ctrl <= env.wiring.high + 1e-9).all()
    assert moved.max() > 0


@pytest.mark.slow
def test_warp_plays_nearly_the_same():
    pytest.importorskip("mujoco_warp")
    env, moments, actions = runs("reach", count=2, periods=2)
    exact = on_threads(env, moments, actions, threads=1)
    near = on_warp(env, moments, actions, contacts_a_world=64, constraints_a_world=256)
    for i, t in np.ndindex(exact.shape[:2]):
        env.set_physics(exact[i, t])
        tool, state = env.view.site(env.view.tool).copy(), env.state()
        env.set_physics(near[i, t])
        np.testing.assert_allclose(env.view.site(env.view.tool), tool, atol=2e-3)
        np.testing.assert_allclose(env.state(), state, atol=5e-3)


def test_warp_that_is_not_there_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "warp", None)
    with pytest.raises(ValueError, match=r"pip install 'lapa\[warp\]'"):
        on_warp(*runs("reach", count=1, periods=1), contacts_a_world=8, constraints_a_world=8)
