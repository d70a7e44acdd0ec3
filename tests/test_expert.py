"""The oracle solves every task with every body through the policy's own controller, from its seed alone."""

import numpy as np
import pytest
from simulation import BODIES, TASKS, make_env

from sim_finetune.expert import Expert

SEEDS = range(3_000_000, 3_000_004)


def play(env, seed, *, noise=0.0):
    """Actions [t, d] and whether the goal held at the end."""
    env.reset(seed=seed)
    expert = Expert(env, noise=noise, rng=np.random.default_rng(seed))
    actions = []
    for _ in range(60):
        actions.append(expert.act())
        info = env.step(actions[-1])[-1]
        if info["success"]:
            break
    return np.stack(actions), info["success"]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("name", TASKS)
def test_solves_the_task(name, body):
    env = make_env(name, body)
    solved = [play(env, seed)[1] for seed in SEEDS]
    assert sum(solved) >= len(solved) - 1, solved


@pytest.mark.parametrize("body", BODIES)
def test_same_seed_same_actions_within_the_action_space(body):
    env = make_env(body=body)
    first, _ = play(env, 5, noise=0.003)
    second, _ = play(make_env(body=body), 5, noise=0.003)
    np.testing.assert_array_equal(first, second)
    assert all(env.action_space.contains(action) for action in first)
    assert not np.array_equal(first, play(env, 5)[0])


@pytest.mark.parametrize("body", BODIES)
def test_moves_like_a_calm_person(body):
    env = make_env(body=body)
    env.reset(seed=1)
    expert = Expert(env, noise=0.0, rng=np.random.default_rng(0))
    places = [env.step(expert.act())[-1]["tool_m"] for _ in range(20)]
    speed = np.linalg.norm(np.diff(places, axis=0), axis=1) * 10
    assert speed.max() < 0.36


def test_recovers_when_the_block_is_moved():
    env = make_env("push_to_zone", "panda")
    env.reset(seed=0)
    expert = Expert(env, noise=0.0, rng=np.random.default_rng(0))
    for step in range(90):
        if step == 22:
            env.data.joint("target").qpos[1] += 0.06
        if env.step(expert.act())[-1]["success"]:
            return
    pytest.fail("not solved after the block was moved away from the tool")


def test_a_skill_whose_goal_is_missing_says_so():
    env = make_env()
    env.task_spec = env.task_spec.model_copy(update={"family": "open_drawer"})
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"its goal has no JointFraction, only \['ToolNear'\]"):
        Expert(env, noise=0.0, rng=np.random.default_rng(0)).act()
