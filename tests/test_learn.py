"""Reinforcement: what a learner sees and does is the task; training is seeded; without the extra a line says what to install."""

import sys

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hydra.utils import instantiate
from small_sim import studio, task

from lapa.config import compose
from sim_finetune.embodiment import load_embodiment
from sim_finetune.episode import make_env
from sim_finetune.games import play_through, play_together
from sim_finetune.learn import Learner, Lessons, move, observe
from sim_finetune.solvers import solver_for

BY_DESIGN = "ignore:.*(infinity|different from the unwrapped)"  # positions have no bound; it is a wrapper


def lessons(name: str = "reach") -> Lessons:
    return Lessons(make_env(task(name), studio("hand")), step_m=0.04, step_rad=0.2, approach=0.3)


def learner(name: str, **settings):
    small = {"settings": settings, "total_steps": 48}
    return instantiate(compose("solve", [f"solver={name}", "out=x", "tasks=x"]).solvers[name], **small)


@pytest.mark.filterwarnings("error", BY_DESIGN)
@pytest.mark.parametrize("name", ["reach", "open_drawer"])
def test_gymnasium_finds_no_fault_with_lessons(name):
    check_env(lessons(name), skip_render_check=True)


def test_a_move_moves_the_tool_that_far():
    env = make_env(task("reach"), studio("panda"))
    env.reset(seed=0)
    before = env.view.site(env.view.tool).copy()
    for _ in range(4):
        env.step(move(env, np.array([0.5, 0, 0, 0, 1], np.float32), 0.04, 0.2))
    np.testing.assert_allclose(env.view.site(env.view.tool) - before, [0.08, 0, 0], atol=0.02)


def test_the_objects_place_is_seen_from_the_tool():
    env = make_env(task("reach"), studio("hand"))
    seen = [observe(env) for seed in (0, 1) if env.reset(seed=seed)]
    first = len(env.state()) + 3
    np.testing.assert_allclose(
        seen[1][first : first + 3], 10 * env.view.centre("target") - seen[1][first - 3 : first], atol=1e-6
    )
    assert not np.array_equal(*seen)


@pytest.mark.parametrize(
    ("name", "settings"),
    [("ppo", {"n_steps": 24, "batch_size": 24, "n_epochs": 1}), ("sac", {"learning_starts": 20, "batch_size": 16})],
)
def test_training_is_seeded_and_what_was_learnt_plays(name, settings):
    pytest.importorskip("stable_baselines3")

    def episode():
        player = learner(name, **settings)
        player.begin(task("reach"), studio("hand"), threads=1)
        assert player.simulated_steps == 48
        game = play_through(make_env(task("reach"), studio("hand", 5)), seed=3, execute_steps=1)
        return np.stack(play_together([game], player)[0].physics)

    np.testing.assert_array_equal(episode(), episode())


def test_without_the_extra_a_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    with pytest.raises(ValueError, match=r"stable-baselines3 is not installed: pip install 'lapa\[rl\]'"):
        learner("ppo").begin(task("reach"), studio("hand"), threads=1)


def test_an_unknown_algorithm_is_refused():
    settings = {"settings": {}, "total_steps": 1, "step_m": 0.04, "step_rad": 0.2, "approach": 0.3, "seed": 0}
    with pytest.raises(ValueError, match=r"no algorithm 'A2D'; there are \['PPO', 'SAC'\]"):
        Learner(algorithm="A2D", **settings)


def test_success_does_not_end_a_lesson():
    lesson = lessons()
    env, solver = lesson.unwrapped, solver_for(load_embodiment("hand"))
    lesson.reset(seed=0)
    for _ in range(30):
        tool, _ = solver.forward(env.target()[:-1])
        away = env.view.site("target/top") + np.array([0, 0, 0.015]) - tool
        _, _, done, _, info = lesson.step(np.array([*np.clip(away / 0.04, -1, 1), 0, 1], np.float32))
        if info["success"]:
            break
    assert info["success"] and not done
