"""Search: it solves what chance does not, equally for equal seeds and any threads; its updates do what their names say."""

import numpy as np
import pytest
from hydra.utils import instantiate
from small_sim import studio, task

from lapa.config import compose
from sim_finetune.episode import make_env
from sim_finetune.games import play_through, play_together
from sim_finetune.players import Random
from sim_finetune.search import Cem, Mppi

SMALL = {"samples": 12, "rounds": 1}


def search(name: str = "mppi", **changes):
    recipe = compose("solve", [f"solver={name}", "out=x", "tasks=x"]).solvers[name]
    return instantiate(recipe, **(SMALL | changes))


def play(player, name: str = "reach", seeds=range(4), max_steps: int = 40, body: str = "hand"):
    games = [play_through(make_env(task(name), studio(body, max_steps)), seed=s, execute_steps=99) for s in seeds]
    return play_together(games, player)


def test_mppi_reaches_and_chance_does_not():
    found, luck = play(search()), play(Random(seed=0))
    assert [one.row["state_hash"] for one in found] == [one.row["state_hash"] for one in luck]
    solved, lucky = (sum(one.row["success_held"] for one in some) for some in (found, luck))
    assert solved >= 3 > 1 >= lucky


def test_cem_opens_a_drawer_that_only_moves_when_touched():
    assert play(search("cem", samples=24), "open_drawer", range(1), body="panda")[0].row["success_held"]


def test_equal_seeds_give_equal_episodes_whatever_the_threads():
    def physics(threads: int = 1, **changes):
        player = search(**changes)
        player.begin(task("reach"), studio("hand"), threads=threads)
        return np.stack(play(player, seeds=range(1), max_steps=6)[0].physics)

    np.testing.assert_array_equal(physics(threads=1), physics(threads=3))
    assert not np.array_equal(physics(), physics(seed=1))


def test_simulated_steps_are_counted():
    player = search(horizon=5, execute_steps=2)
    play(player, seeds=range(1), max_steps=6)
    assert player.simulated_steps == 3 * 12 * 5


def test_updates_go_where_the_scores_are():
    tried = np.random.default_rng(0).normal(size=(200, 2, 5))
    scores, guess = -np.abs(tried - 0.7).sum(axis=(1, 2)), (np.zeros((2, 5)), np.ones((2, 5)))
    cold, _ = Mppi(temperature=1e-6)(tried, scores, guess)
    np.testing.assert_allclose(cold, tried[scores.argmax()])
    hot, _ = Mppi(temperature=1e6)(tried, scores, guess)
    np.testing.assert_allclose(hot, tried.mean(axis=0), atol=1e-4)
    mean, spread = Cem(elites=20, least_share=0.5)(tried, scores, guess)
    assert mean.mean() > 0.2 and (spread >= 0.5).all() and spread.mean() < 1
    with pytest.raises(ValueError, match="300 elites of 200 samples"):
        Cem(elites=300, least_share=0.5)(tried, scores, guess)
