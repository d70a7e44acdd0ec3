"""Foresight: what it says would happen is what happens, to the bit; it leaves the present alone; threads do not matter."""

import mujoco
import numpy as np
import pytest
from simulation import make_env, task

from sim_finetune.foresight import PHYSICS, Foresight, closeness
from sim_finetune.spec import read_spec


def sequences(env, count: int, steps: int) -> np.ndarray:
    """Random walks of the joint targets, some beyond the speed limits."""
    target, rng = env.target(), np.random.default_rng(0)
    return target + np.cumsum(rng.normal(0, 0.2, (count, steps, len(target))), axis=1)


def staged():
    """Reach, then push, held for a while: all that a state alone does not tell."""
    document = task("push_to_zone").model_dump(mode="json")
    near = {"kind": "tool_near", "object": "target", "above_m": 0.0, "within_m": 0.2}
    held = {"kind": "hold_for", "part": near, "seconds": 0.2}
    stage = {"goal": held, "instruction": "go to the {target}", "weight": 1, "timeout_s": 60}
    return read_spec({**document, "stages": [stage]})


@pytest.mark.parametrize(
    "spec", [task("open_drawer"), task("push_to_zone"), staged()], ids=["drawer", "push", "staged"]
)
def test_states_and_rewards_are_those_of_stepping(spec):
    env = make_env(spec=spec, body="panda")
    env.reset(seed=3)
    ahead, actions = Foresight(env, approach=0.0, threads=1), sequences(env, 2, 8)
    before = env.get_physics()
    states = ahead.roll(actions)
    rewards = ahead.score(states)
    np.testing.assert_array_equal(env.get_physics(), before)
    for sequence, foreseen, promised in zip(actions, states, rewards, strict=True):
        env.reset(seed=3)
        for action, state, gain in zip(sequence, foreseen, promised, strict=True):
            _, got, *_ = env.step(action)
            now = np.empty_like(state)
            mujoco.mj_getState(env.model, env.data, now, PHYSICS)
            np.testing.assert_array_equal(now, state)
            assert got == gain


def test_threads_do_not_change_a_bit():
    env = make_env("push_to_zone")
    env.reset(seed=1)
    actions = sequences(env, 7, 4)
    one, three = (Foresight(env, approach=0.3, threads=threads).roll(actions) for threads in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_closeness_grows_towards_what_is_next_to_be_moved():
    env = make_env("open_drawer", "panda")
    env.reset(seed=0)
    far = closeness(env.task_spec, 0, env.view)
    env.data.site(env.view.tool).xpos[:] = env.view.site("drawer/handle")
    assert 0 < far < 0.9 and closeness(env.task_spec, 0, env.view) == 1.0
