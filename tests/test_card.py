"""Laws of the card's numbers: codes that copy the label are read whole, shuffled ones not at all, unused codes are counted."""

import pytest
import torch
from card_toys import toy_pairs
from small_quantizer import build

from lapa.stream import shows_label
from quantizer.card import Reading, code_use, probes, shuffled, used_columns
from quantizer.reconstruction import redraw
from quantizer.sample import FLOW

CODES = torch.randint(0, 5, (480, 2), generator=torch.Generator().manual_seed(3))
PAIRS = toy_pairs()._replace(change=CODES.float() @ torch.tensor([[1.0, 0.5], [-0.3, 2.0]]))


def reading(flow: torch.Tensor) -> Reading:
    return Reading(CODES.float(), CODES, torch.zeros(480, 2), flow)


def test_codes_that_copy_the_label_carry_all_of_it():
    found = probes(reading(PAIRS.change), used_columns(CODES, 8), PAIRS, seed=0)
    assert found["probe"]["codes_linear"] > 0.99 and found["probe"]["codes_mlp"] > 0.95
    assert max(found["probe"][name] for name in ("shuffled", "state_only", "first_frame", "next_frame")) < 0.1
    assert found["carried"]["share"] == pytest.approx(1, abs=0.02)
    low, high = found["carried"]["interval"]
    assert low <= found["carried"]["share"] <= high
    assert all(low <= found["probe"][name] <= high for name, (low, high) in found["interval"].items())


def test_shuffled_codes_carry_nothing():
    found = probes(reading(PAIRS.change), shuffled(used_columns(CODES, 8), 1), PAIRS, seed=0)
    assert abs(found["carried"]["share"]) < 0.1 and found["probe"]["codes_linear"] < 0.05


def test_where_nothing_is_decodable_no_share_is_given():
    noise = torch.randn(480, 3, generator=torch.Generator().manual_seed(4))
    blind = PAIRS._replace(after=PAIRS.before, change=torch.randn(480, 2, generator=torch.Generator().manual_seed(5)))
    found = probes(reading(noise), used_columns(CODES, 8), blind, seed=0)
    assert found["carried"] is None or found["carried"]["r2"] < 0.02


def test_without_a_truth_or_without_episodes_there_is_no_state_or_no_probe():
    found = probes(
        reading(PAIRS.change), used_columns(CODES, 8), PAIRS._replace(truth=FLOW, start=PAIRS.start[:, :0]), 0
    )
    assert not {"state_only", "codes_and_state"} & found["probe"].keys()
    assert probes(reading(PAIRS.change), used_columns(CODES, 8), PAIRS._replace(clip=PAIRS.clip % 3), 0) is None


def test_unused_codes_are_counted_slot_by_slot():
    codes = torch.tensor([[0, 2], [1, 2], [0, 2], [1, 2]])
    use = code_use(codes, torch.tensor([50, 50, 100, 0]))
    assert use["unused"] == [3] and use["codes_used"] == 3 and use["distinct_steps"] == 2
    assert [slot["unused"] for slot in use["slots"]] == [[2, 3], [0, 1, 3]]
    assert [slot["perplexity"] for slot in use["slots"]] == pytest.approx([2, 1])


def test_a_body_that_is_not_among_the_pictures_drawn_has_none_of_its_own():
    """The card of labels hours old ended in a division by zero."""
    pairs = toy_pairs(bodies=("hand", "panda"))
    larger = {name: torch.nn.functional.interpolate(getattr(pairs, name), 24) for name in ("before", "after")}
    quantizer = build().eval()
    for body, has in ((pairs.body, True), (torch.zeros_like(pairs.body), False)):
        found = redraw(quantizer, pairs._replace(**larger, body=body), torch.randint(0, 8, (480, 4)), 128)
        assert ("other_body" in found["read_back"]) == has


def test_shown_clips_are_whole_videos():
    """Another clip of the same video is not unseen."""
    keys = [f"video{i}@{part:03d}" for i in range(40) for part in range(5)]
    shown = {key.partition("@")[0] for key in keys if shows_label(key, 30)}
    assert 0 < len(shown) < 40 and all(shows_label(key, 30) == (key.partition("@")[0] in shown) for key in keys)
