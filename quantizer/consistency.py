"""Latents of chains of three frames in, whether they add up, turn round, and tell past from future out."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lapa.probe import r_squared
from quantizer.model import Quantizer
from quantizer.sample import Pairs, in_batches

Latents = Float[Tensor, "c d"]
LEAST_CHAINS = 8


@torch.inference_mode()
def chains(quantizer: Quantizer, pairs: Pairs, latents: Float[Tensor, "b d"], batch: int) -> dict[str, Any] | None:
    """Encode what `latents` (of all pairs) lacks of each chain a, b, c; None below LEAST_CHAINS chains."""
    if len(pairs.chain) < LEAST_CHAINS:
        return None
    first, second, third = pairs.before[pairs.chain], pairs.after[pairs.chain], pairs.later
    b_to_c, a_to_c, c_to_b = (
        in_batches(quantizer.encode, batch, x, y).flatten(1)
        for x, y in ((second, third), (first, third), (third, second))
    )
    return consistency(latents[pairs.chain], b_to_c, a_to_c, c_to_b)


def consistency(a_to_b: Latents, b_to_c: Latents, a_to_c: Latents, c_to_b: Latents) -> dict[str, Any]:
    """Each measure beside the same one with another chain's latents in its place.

    `s_pcfc` (CoMo, arXiv 2505.17006): cosine of past → current and future → current. A latent that describes the frame
    it arrives at scores 1, one that describes the way scores lower. The other two compare vectors after each kind's mean
    is taken away, so that what "nothing happens" looks like does not count: z(a→c) with z(a→b) + z(b→c), z(c→b) with −z(b→c).
    `length`: how long the one is, as a share of the other; far from 1 it pulls R² down however alike the directions are.
    """
    others = c_to_b.roll(len(c_to_b) // 2, 0)
    return {
        "chains": len(a_to_b),
        "s_pcfc": {"value": _cosine(a_to_b, c_to_b), "shuffled": _cosine(a_to_b, others)},
        "additivity": _agreement(a_to_b + b_to_c, a_to_c),
        "reversibility": _agreement(-b_to_c, c_to_b),
    }


def _agreement(guess: Latents, truth: Latents) -> dict[str, float]:
    guess, truth = guess - guess.mean(0), truth - truth.mean(0)
    others = guess.roll(len(guess) // 2, 0)
    return {
        "cosine": _cosine(guess, truth),
        "r2": _pooled_r2(guess, truth),
        "length": float(truth.square().sum().sqrt() / guess.square().sum().sqrt().clamp_min(1e-9)),
        "shuffled_cosine": _cosine(others, truth),
        "shuffled_r2": _pooled_r2(others, truth),
    }


def _cosine(one: Latents, other: Latents) -> float:
    return float(F.cosine_similarity(one, other, dim=1).mean())


def _pooled_r2(guess: Latents, truth: Latents) -> float:
    """R² of all numbers together: channels that hardly vary weigh little."""
    return r_squared(guess.reshape(-1, 1), truth.reshape(-1, 1))
