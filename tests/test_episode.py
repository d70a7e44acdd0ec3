"""An expert episode: the same for the same seed, recoverable by replay, pushed off its path and back on it."""

import numpy as np
import pytest
from small_sim import studio, task

from sim_finetune.episode import Jolts, film, make_env, play, seed_block

CALM, ROUGH = Jolts(0.0, 4, 0.0), Jolts(0.2, 4, 0.05)


@pytest.fixture(scope="module")
def env():
    return make_env(task("reach"), studio())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(env):
    first, again, other = (play(env, ROUGH, seed=seed) for seed in (3, 3, 4))
    assert all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    assert first.state.shape != other.state.shape or not np.array_equal(first.state, other.state)


def test_sending_what_was_sent_gives_the_same_states(env):
    """Ladder rung R11: recorded actions reproduce the states bit for bit."""
    episode = play(env, ROUGH, seed=5)
    env.reset(seed=5)
    for executed, physics in zip(episode.executed, episode.physics, strict=True):
        assert np.array_equal(env.get_physics(), physics)
        env.step(executed)


def test_pushes_are_sent_but_not_labelled_and_the_expert_comes_back(env):
    calm, rough = play(env, CALM, seed=6), play(env, ROUGH, seed=6)
    assert np.array_equal(calm.action, calm.executed)
    pushed = np.abs(rough.action - rough.executed).max(axis=1) > 1e-6
    assert 0 < pushed.sum() < len(pushed) and rough.solved
    assert np.array_equal(rough.action[:, -1], rough.executed[:, -1])  # the gripper is not shaken


def test_tasks_are_not_pushed_alike_at_the_same_seed(env):
    """Else a few schedules of pushes would serve a whole set of demonstrations."""
    alike = 0
    for seed in range(4):
        when = [
            np.abs(one.action - one.executed).max(axis=1)[:8] > 1e-6
            for one in (play(each, ROUGH, seed=seed) for each in (env, make_env(task("press_button"), studio())))
        ]
        alike += np.array_equal(*when)
    assert alike < 4


def test_film_has_a_frame_before_each_step_and_the_same_again(env):
    episode = play(env, CALM, seed=7)
    frames, again = film(env, episode)["front"], film(env, episode)["front"]
    assert frames.shape == (len(episode.state), 32, 32, 3) and frames.dtype == np.uint8
    assert np.array_equal(frames, again)
    assert np.abs(frames[0].astype(int) - frames[-1].astype(int)).max() > 50  # the arm has moved


def test_seed_blocks_of_purposes_and_replicates_never_meet():
    blocks = [seed_block(base, replicate=r, count=50_000) for base in (0, 1_000_000) for r in (0, 1, 19)]
    seeds = [seed for block in blocks for seed in block]
    assert len(set(seeds)) == len(seeds)
    with pytest.raises(ValueError, match=r"seed=20 must be in 0…19"):
        seed_block(0, replicate=20, count=1)
    with pytest.raises(ValueError, match="seed_base=-5: a whole number of at least 0"):
        seed_block(-5, replicate=0, count=1)


def test_a_replicate_never_runs_into_another_purpose():
    """Validation, test and the ladder's own trials lie a million apart, and a test may begin in the middle."""
    assert seed_block(3_500_000, replicate=9, count=50_000)[-1] == 3_999_999
    with pytest.raises(ValueError, match="seed=10 from seed_base=3500000 on would take seeds from 4000000 on"):
        seed_block(3_500_000, replicate=10, count=2)


def test_the_expert_stays_as_long_at_every_rate():
    """At 20 Hz it stayed 0.4 s, and the ladder, which wants 0.5, could accept no task."""
    stays_s = {}
    for hz in (10, 20):
        episode = play(make_env(task("reach"), studio(max_steps=20 * hz)._replace(control_hz=hz)), CALM, seed=8)
        stays_s[hz] = np.argmin(episode.success[::-1]) / hz  # rows of success at the end
    assert stays_s[10] == pytest.approx(0.9) and stays_s[20] >= 0.8
