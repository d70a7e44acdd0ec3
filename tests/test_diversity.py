"""Laws of a set's measures: one task said again adds nothing, strangers are far apart, order and numbers do not matter."""

import math

import numpy as np
import pytest
from small_sim import task
from small_tasks import small_task, thing

from sim_finetune import diversity as module
from sim_finetune.diversity import diversity, diversity_dynamics, mean_over_pairs, self_bleu, text_diversity

SAID = ["put the red block on the stand", "open the blue drawer", "sweep the green pile into the yellow zone"]


def embed(text: str) -> np.ndarray:
    """Which letters a text has."""
    vector = np.array([text.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"], float)
    return vector / np.linalg.norm(vector)


@pytest.fixture(autouse=True)
def no_text_model(monkeypatch):
    """Its twelve seconds are test_novelty's."""
    monkeypatch.setattr(module, "embedder", lambda: None)


def test_the_same_sentence_again_and_again_is_no_diversity():
    assert self_bleu([SAID[0]] * 4) == pytest.approx(1)
    assert text_diversity([SAID[0]] * 4, embed) == pytest.approx(0, abs=1e-9)


def test_sentences_without_a_common_word_share_nothing():
    assert self_bleu(["lift one cube", "open that door now"]) == 0
    assert self_bleu(SAID) < 0.5
    opposite = {"one": np.array([1.0, 0]), "other": np.array([-1.0, 0])}
    assert text_diversity(["one", "other"], opposite.__getitem__) == -math.log(module.LEAST_COSINE)


def test_one_repetition_lies_between():
    twice = [*SAID, SAID[0]]
    assert self_bleu(SAID) < self_bleu(twice) < 1
    assert 0 < text_diversity(twice, embed) < text_diversity(SAID, embed)


def test_bleu_of_a_known_pair():
    """Two of three words in common and one of two pairs, both smoothed but the first: worked out by hand."""
    wanted = (2 / 3 * (1 + 1) / (2 + 1) * (0 + 1) / (1 + 1) * (0 + 1) / (0 + 1)) ** 0.25
    assert self_bleu(["push red block", "push red drawer"]) == pytest.approx(wanted)


def test_a_word_counts_no_more_often_than_another_sentence_has_it():
    assert self_bleu(["red red red red", "red"]) < self_bleu(["red red red red", "red red red"])


def test_a_set_of_one_has_no_pairs():
    found = diversity([task("reach")])
    assert [found[name] for name in ("diversity_text", "self_bleu", "diversity_assets", "diversity_predicates")] == [
        None
    ] * 4
    assert found["objects"] == {"block": 1} and found["predicates"] == {"tool_near": 1}


def test_a_set_of_tasks(monkeypatch):
    monkeypatch.setattr(module, "embedder", lambda: embed)
    apart, alike = diversity([task("reach"), task("open_drawer")]), diversity([task("reach"), task("reach")])
    assert alike["diversity_assets"] == alike["diversity_predicates"] == 0 < apart["diversity_assets"] < 1
    assert apart["diversity_predicates"] == 1 and apart["diversity_text"] > alike["diversity_text"]
    assert diversity([task("open_drawer"), task("reach")]) == apart


def test_stages_and_the_insides_of_combinators_count_once_a_task():
    lifted = {"kind": "not", "part": {"kind": "height_above", "object": "cube", "above_m": 0.1}}
    stages = [{"goal": {"kind": "any", "parts": [lifted, lifted]}, "instruction": "lift", "weight": 1, "timeout_s": 9}]
    found = diversity([small_task(thing("cube"), stages=stages), small_task(thing("cube"))])
    assert found["predicates"] == {"height_above": 1, "tool_near": 2} and found["objects"] == {"block": 2}


def test_without_a_text_model_there_is_no_figure():
    assert diversity([task("reach"), task("open_drawer")])["diversity_text"] is None


def test_the_mean_is_over_pairs_once_each():
    assert mean_over_pairs([1, 2, 4], lambda one, other: other - one) == 2


def test_dynamics_is_what_the_left_out_task_costs():
    errors = {"push": {"push": 0.5, "pull": 0.1, "turn": 0.3}, "pull": {"push": 0.2, "pull": 0.2, "turn": 0.2}}
    errors["turn"] = {"push": 0.1, "pull": 0.1, "turn": 0.4}
    assert diversity_dynamics(errors) == pytest.approx((0.3 + 0.0 + 0.3) / 3)


@pytest.mark.parametrize(
    "errors", [{}, {"push": {"push": 0.1}}, {"push": {"push": 0.1}, "pull": {"push": 1, "pull": 2}}]
)
def test_dynamics_wants_every_task_left_out_and_measured(errors):
    with pytest.raises(ValueError, match="left out"):
        diversity_dynamics(errors)
