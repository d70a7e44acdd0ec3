"""Asynchronous chunks: which chunk a step belongs to, a robot that never waits, and late players in the simulation."""

import threading
import time

import hydra
import numpy as np
import pytest
import torch
from small_sim import studio, task

from lapa.config import compose
from lapa.records import ActionChunk, Observation
from policy.asynchronous import Asynchronous, Timeline
from sim_finetune.delayed import Delayed
from sim_finetune.episode import make_env
from sim_finetune.games import play_through, play_together


def chunk(*numbers: float) -> ActionChunk:
    return ActionChunk(torch.tensor(numbers)[:, None])


def seen(step: int) -> Observation:
    return Observation({"front": torch.zeros(3, 8, 8, dtype=torch.uint8)}, "", torch.tensor([float(step)]))


class Counter:
    """Wants to be at 100·s + i, i steps after a state s: an action tells which observation it comes from."""

    hash, embodiment, chunk_steps = "counter", "panda", 8

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.answers, self.late = 0, lambda: True  # late: an answer comes only once this holds

    def act(self, observation: Observation) -> ActionChunk:
        assert self.go.wait(10)
        end_s = time.monotonic() + 10
        while not self.late() and time.monotonic() < end_s:
            time.sleep(0.001)
        self.answers += 1
        return chunk(*(100 * observation.state[0].item() + i for i in range(8)))


def test_the_newest_chunk_without_the_steps_it_came_late():
    plan = Timeline(ensemble_decay=None)
    plan.add(chunk(0, 1, 2, 3), made_at=0, ready_at=0)
    plan.add(chunk(20, 21, 22, 23), made_at=2, ready_at=3)
    assert [float(plan.action(step)) for step in range(6)] == [0, 1, 2, 21, 22, 23] and plan.action(6) is None


def test_ensembling_is_acts_weighted_mean():
    plan = Timeline(ensemble_decay=0.5)
    plan.add(chunk(0, 1, 2, 3), made_at=0, ready_at=0)
    plan.add(chunk(20, 21, 22, 23), made_at=2, ready_at=2)
    weights = np.exp([0, -0.5]) / np.exp([0, -0.5]).sum()
    got = [float(plan.action(step)) for step in range(6)]
    np.testing.assert_allclose(got, [0, 1, weights @ [2, 20], weights @ [3, 21], 22, 23], rtol=1e-6)
    with pytest.raises(ValueError, match="at least 0"):
        Timeline(ensemble_decay=-1.0)


def player(policy, execute_steps: int) -> Asynchronous:
    return Asynchronous(policy=policy, execute_steps=execute_steps, timeline=lambda: Timeline(ensemble_decay=None))


def test_a_robot_goes_on_while_the_next_chunk_is_computed():
    policy = Counter()
    robot = player(policy, 4)
    policy.late = lambda: robot.waits > 0
    got = [float(robot.act(seen(step))) for step in range(4)]
    policy.go.clear()
    got += [float(robot.act(seen(step))) for step in (4, 5)]  # computing; the first chunk goes on
    policy.go.set()
    robot._asked[1].result()
    got += [float(robot.act(seen(6)))]
    assert got == [0, 1, 2, 3, 4, 5, 402] and robot.waits == 1  # two steps late: its first two are dropped
    robot.reset()
    assert float(robot.act(seen(9))) == 900
    robot.close()


def test_it_waits_when_nothing_is_planned_and_raises_what_the_policy_raises():
    policy = Counter()
    robot = player(policy, 8)
    policy.late = lambda: robot.waits > policy.answers
    assert [float(robot.act(seen(step))) for step in range(9)] == [*range(8), 800] and robot.waits == 2
    policy.act = lambda _: (_ for _ in ()).throw(ValueError("no camera"))
    robot = player(policy, 8)
    with pytest.raises(ValueError, match="no camera"):
        robot.act(seen(0))
    with pytest.raises(ValueError, match="execute_steps=9 must be in 1…8"):
        player(policy, 9)


class Noter:
    """Goes on from where the arm is, a little more each step; notes when it was asked."""

    hash, embodiment, chunk_steps = "noter", "panda", 8

    def act_batch(self, observations):
        ramp = 0.01 * torch.arange(8)[:, None]
        return [ActionChunk(one.state + ramp) for one in observations]


def play(policy, execute_steps=4, seeds=(1, 2), max_steps=12):
    envs = [make_env(task("reach"), studio(max_steps=max_steps)) for _ in seeds]
    games = [play_through(env, seed=seed, execute_steps=execute_steps) for env, seed in zip(envs, seeds, strict=True)]
    return play_together(games, policy)


def delayed(delay_steps, timeline=lambda: Timeline(ensemble_decay=None), execute_steps=4):
    return Delayed(policy=Noter(), delay_steps=delay_steps, execute_steps=execute_steps, timeline=timeline)


def test_a_late_policy_plays_the_same_episode_again():
    one, again = play(delayed(2)), play(delayed(2))
    for first, second in zip(one, again, strict=True):
        assert first.row == second.row and np.array_equal(first.physics, second.physics)
    other = play(delayed(3))
    assert not np.array_equal(one[0].physics[-1], other[0].physics[-1])


def test_the_robot_pauses_first_then_never():
    env = make_env(task("reach"), studio())
    env.reset(seed=1)
    late, start = delayed(2), torch.from_numpy(env.target()).float()
    first = late.act_envs([env])[0].actions
    asked_from = torch.from_numpy(env.state())
    assert torch.equal(first[:2], start.expand(2, -1)) and torch.equal(
        first[2:], asked_from + 0.01 * torch.arange(2)[:, None]
    )
    for action in first.numpy():
        env.step(action)
    second, now = late.act_envs([env])[0].actions, torch.from_numpy(env.state())
    assert torch.equal(second[:2], asked_from + 0.01 * torch.arange(2, 4)[:, None])  # what it has, for two steps
    assert torch.equal(second[2:], now + 0.01 * torch.arange(2, 4)[:, None])  # then the new one, two steps late
    env.reset(seed=2)
    assert torch.equal(late.act_envs([env])[0].actions[0], torch.from_numpy(env.target()).float())  # forgotten


def test_standing_still_is_the_other_choice():
    env = make_env(task("reach"), studio())
    env.reset(seed=1)
    late = delayed(2, timeline=None)
    for _ in range(2):
        target = torch.from_numpy(env.target()).float()
        actions = late.act_envs([env])[0].actions
        assert len(actions) == 4 and torch.equal(actions[:2], target.expand(2, -1))
        for action in actions.numpy():
            env.step(action)


def test_a_chunk_must_last_until_the_next_comes():
    with pytest.raises(ValueError, match=r"execute_steps ≤ 5 must hold .* delay_steps=3, execute_steps=6"):
        delayed(3, execute_steps=6)
    with pytest.raises(ValueError, match="delay_steps=4, execute_steps=4"):
        delayed(4)


def test_the_yaml_builds_a_late_player(tmp_path):
    cfg = compose("rollout", ["policy=asynchronous", "tasks=x", "out=o", f"checkpoint={tmp_path}", "execute_steps=3"])
    with pytest.raises(Exception, match="holds no model"):
        hydra.utils.instantiate(cfg.policy)
    cfg.policy.policy = {"_target_": f"{__name__}.Noter"}
    assert isinstance(hydra.utils.instantiate(cfg.policy), Delayed)
