"""Laws of the latents' grammar: what adds up scores 1, what describes a frame instead of a way is found out, others score 0."""

import pytest
import torch

from quantizer.consistency import consistency

STEPS = torch.randn(2, 200, 3, generator=torch.Generator().manual_seed(0))
MIX = torch.randn(3, 16, generator=torch.Generator().manual_seed(1))


def measured(latent) -> dict:
    """Of chains with the two ways STEPS, from a to b and on to c."""
    first, second = STEPS
    return consistency(latent(first), latent(second), latent(first + second), latent(-second))


def test_latents_that_are_the_way_add_up_and_turn_round():
    found = measured(lambda way: way @ MIX + 5.0)  # the 5 is what "nothing happens" looks like
    for name in ("additivity", "reversibility"):
        assert found[name]["r2"] == pytest.approx(1, abs=1e-4) and found[name]["cosine"] == pytest.approx(1, abs=1e-4)
        assert found[name]["length"] == pytest.approx(1, abs=1e-4)
        assert abs(found[name]["shuffled_cosine"]) < 0.2 and found[name]["shuffled_r2"] < 0
    assert found["chains"] == 200


def test_latents_without_direction_do_not_turn_round():
    found = measured(lambda way: way.abs() @ MIX)
    assert found["reversibility"]["cosine"] == pytest.approx(-1, abs=1e-4) and found["reversibility"]["r2"] < -1


def test_latents_of_the_frame_arrived_at_are_the_same_from_past_and_future():
    first, second = STEPS
    places = torch.zeros_like(first), first, first + second
    found = consistency(*(place @ MIX for place in (places[1], places[2], places[2], places[1])))
    assert found["s_pcfc"]["value"] == pytest.approx(1, abs=1e-4) and abs(found["s_pcfc"]["shuffled"]) < 0.2
    assert abs(measured(lambda way: way @ MIX)["s_pcfc"]["value"]) < 0.2  # independent ways there and on
