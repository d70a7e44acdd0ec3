"""R8, R9 and R11 on candidates made by hand: what was not held, not let go, not the same again is refused."""

from collections.abc import Sequence

import numpy as np
import pytest
from small_sim import studio, task

from sim_finetune import rungs_proof
from sim_finetune.episode import Episode, make_env, play
from sim_finetune.rungs_proof import UNDISTURBED, learnable, mutated, oracle, replayed
from sim_finetune.rungs_text import Candidate
from sim_finetune.spec import read_spec

R8 = {"seeds": 2, "share": 1.0, "wilson_low": 0.3, "hold_s": 0.5}


def candidate(name: str = "reach", episodes: Sequence[Episode] = (), max_steps: int = 60) -> Candidate:
    return Candidate("", task(name), studio("hand", max_steps), 5, (), tuple(episodes), {})


@pytest.fixture(scope="module")
def episode() -> Episode:
    return play(make_env(task("reach"), studio("hand")), UNDISTURBED, seed=5)


def test_the_oracle_hands_its_episodes_on_with_what_it_measured():
    found = oracle(candidate(), **R8)
    assert [episode.seed for episode in found.episodes] == [5, 6]
    assert found.facts["solved"] == 2 and found.facts["missed"] == [] and found.facts["first_seed"] == 5


@pytest.mark.parametrize(
    ("changes", "max_steps", "words"),
    [
        ({}, 4, "the goal was never reached"),
        ({"hold_s": 2.0}, 60, "did not hold for 2.0 s"),
        ({"wilson_low": 0.5}, 60, "too few"),
    ],
)
def test_why_an_episode_does_not_count_is_said(changes, max_steps, words):
    with pytest.raises(ValueError, match=words):
        oracle(candidate(max_steps=max_steps), **R8 | changes)


def test_what_is_asked_for_but_was_so_all_along_is_refused():
    near = {"kind": "near", "object": "other1", "other": "target", "within_m": 0.2}
    reach, stage = task("reach"), {"instruction": "near it", "weight": 1, "timeout_s": 9}
    close = [{**thing.model_dump(), "region_m": [0, -0.05, 0.1, 0.05]} for thing in reach.objects]
    spec = {**reach.model_dump(mode="json"), "objects": close, "clearance_m": 0.0, "stages": [{**stage, "goal": near}]}
    with pytest.raises(ValueError, match="so from beginning to end of every episode: near of other1, target$"):
        oracle(candidate()._replace(spec=read_spec(spec)), **R8)


def test_the_oracle_stops_where_no_other_seed_could_help(monkeypatch):
    played: list[int] = []
    watched = lambda env, jolts, *, seed: played.append(seed) or play(env, jolts, seed=seed)  # noqa: E731
    monkeypatch.setattr(rungs_proof, "play", watched)
    with pytest.raises(ValueError, match="at most 7 of 10 episodes"):
        oracle(candidate(max_steps=4), **R8 | {"seeds": 10, "share": 0.8})
    assert played == [5, 6, 7]


def test_a_recorded_episode_comes_back_bit_for_bit(episode):
    assert replayed(candidate(episodes=[episode]), seeds=3).facts == {"episodes": 1}


@pytest.mark.parametrize("field", ["executed", "physics"])
def test_one_changed_bit_is_found(episode, field):
    rows = getattr(episode, field).copy()
    rows[3].flat[1] = np.nextafter(rows[3].flat[1], 9.0, dtype=rows.dtype)
    with pytest.raises(ValueError, match=r"another state at step [34] of a replay \(seed 5\)"):
        replayed(candidate(episodes=[episode._replace(**{field: rows})]), seeds=1)


def test_a_state_that_is_not_the_goal_is_no_proof(episode):
    spoilt = episode._replace(physics=episode.physics[:1])
    with pytest.raises(ValueError, match="does not count when it is restored"):
        mutated(candidate(episodes=[spoilt]), seeds=1)


def test_what_does_not_apply_is_counted_and_not_passed(episode):
    facts = mutated(candidate(episodes=[episode]), seeds=1).facts
    assert facts == {
        "flipped": {"shifted": 1, "exchanged": 2, "undone": 1},
        "not_applicable": {"held": 1, "turned": 1},
    }


def test_learning_is_asked_only_when_it_is_wanted():
    assert learnable(candidate(), demos=0, rollouts=4, share=0.0, steps=1).facts == {"skipped": True}


def test_reaching_is_learnt_from_twenty_episodes_and_not_from_an_untrained_network():
    found = learnable(candidate(), demos=20, rollouts=8, share=0.0, steps=600).facts
    assert found["solved"] > 0 and found["demos"] > 15
    with pytest.raises(ValueError, match=r"a policy cloned from \d+ episodes completes 0 of 8 others"):
        learnable(candidate(), demos=2, rollouts=8, share=0.0, steps=1)
