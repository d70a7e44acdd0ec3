"""Foresight: what it says would happen is what happens, to the bit; it leaves the present alone."""

import mujoco
import numpy as np
import pytest
from simulation import make_env, task

from sim_finetune.foresight import closeness, rewards_ahead
from sim_finetune.many import columns, on_threads
from sim_finetune.spec import read_spec


def sequences(env, count: int, steps: int) -> np.ndarray:
    """Random walks of the joint targets, some beyond the speed limits."""
    target, rng = env.target(), np.random.default_rng(0)
    return target + np.cumsum(rng.normal(0, 0.2, (count, steps, len(target))), axis=1)


def staged():
    """Reach, then push, held for a while: all that a state alone does not tell."""
    document = task("push_to_zone").model_dump(mode="json")
    near = {"kind": "tool_near", "object": "target", "above_m": 0.0, "within_m": 0.2}
    stage = {"goal": held(near, 0.2), "instruction": "go to the {target}", "weight": 1, "timeout_s": 60}
    return read_spec({**document, "stages": [stage]})


def kept():
    """A reward for a time that something is left alone, which no goal asks for."""
    document = task("push_to_zone").model_dump(mode="json")
    still = {"kind": "undisturbed", "objects": ["other1"], "within_m": 0.05}
    return read_spec({**document, "rewards": [{"name": "kept", "weight": 1, "term": held(still, 0.4)}]})


def held(part, seconds):
    return {"kind": "hold_for", "part": part, "seconds": seconds}


@pytest.mark.parametrize(
    "spec", [task("open_drawer"), task("push_to_zone"), staged(), kept()], ids=["drawer", "push", "staged", "kept"]
)
def test_moments_and_rewards_are_those_of_stepping(spec):
    env = make_env(spec=spec, body="panda")
    env.reset(seed=3)
    actions, before = sequences(env, 2, 8), env.get_physics()
    moments = on_threads(env, np.stack([before] * 2), actions, threads=2)
    rewards = rewards_ahead(env, moments, approach=0.0)
    np.testing.assert_array_equal(env.get_physics(), before)
    for sequence, foreseen, promised in zip(actions, moments, rewards, strict=True):
        env.reset(seed=3)
        for action, moment, gain in zip(sequence, foreseen, promised, strict=True):
            _, got, *_ = env.step(action)
            where = columns(env.model, mujoco.mjtState.mjSTATE_FULLPHYSICS)
            np.testing.assert_array_equal(env.get_physics()[where], moment[where])
            assert got == gain


def test_a_time_that_only_a_reward_asks_for_is_counted():
    env = make_env(spec=kept())
    env.reset(seed=3)
    rewards = [env.step(env.target().astype(np.float32))[1] for _ in range(5)]
    assert rewards[0] < 1 and rewards[-1] == 1.0


def test_closeness_grows_towards_what_is_next_to_be_moved():
    env = make_env("open_drawer", "panda")
    env.reset(seed=0)
    far = closeness(env.task_spec, 0, env.view)
    env.data.site(env.view.tool).xpos[:] = env.view.site("drawer/handle")
    assert 0 < far < 0.9 and closeness(env.task_spec, 0, env.view) == 1.0
