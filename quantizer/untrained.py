"""A quantizer's settings in, the codes of its untrained twin out: what comes from the network's inputs without learning."""

from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from lapa import checkpoint
from quantizer.model import Quantizer
from quantizer.sample import Pairs, in_batches

PASSES = 5  # over the pairs, for the codebook alone; moving averages have settled after two or three


def twin(folder: Path, seed: int) -> Quantizer:
    """The quantizer of a model folder with fresh weights of its own seed; no random state is touched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Quantizer = checkpoint.build(checkpoint.load_settings(folder)["model"], allowed=("quantizer.",))
    return model


@torch.no_grad()
def fitted_codes(model: Quantizer, pairs: Pairs, batch: int, seed: int) -> Int64[Tensor, "b k"]:
    """Codes of the pairs, after the bottleneck has seen their latents as in training; the encoder stays as it is."""
    latents = in_batches(model.eval().encode, batch, pairs.before, pairs.after)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model.bottleneck.train()
        for _ in range(PASSES):
            for part in latents[torch.randperm(len(latents))].split(batch):
                model.bottleneck(part)
    return model.eval().bottleneck(latents).codes
