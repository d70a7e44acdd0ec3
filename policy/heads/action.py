"""What an action head must offer, and what heads share: hidden states and joints as one vector, errors under a mask."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn


class Examples(NamedTuple):
    """Chunks of the training demonstrations as a head is to give them, for heads that are fitted before they are trained.

    `mask` is false past a demonstration's end and in dimensions that its robot lacks.
    """

    chunks: Float32[np.ndarray, "m n a"]
    mask: Bool[np.ndarray, "m n a"]


@runtime_checkable
class ActionHead(Protocol):
    """An nn.Module, built with the sizes, the demonstrations' `statistics` and its own yaml values; a file and a yaml each.

    What it gives and is compared with is normalised (policy/normalise.py). `statistics["head"]` is what `fit` returned.
    """

    @staticmethod
    def fit(examples: Examples, **own: Any) -> dict[str, Any]:
        """What must be known of the demonstrations besides mean and deviation, JSON-able; `own`: the yaml's values."""

    def loss(
        self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"], wanted: Float[Tensor, "b n a"],
        mask: Bool[Tensor, "b n a"],
    ) -> Float[Tensor, ""]:  # fmt: skip
        """What training makes small; where `mask` is false `wanted` says nothing and nothing is learnt."""

    def act(self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"]) -> Float[Tensor, "b n a"]:
        """Normalised actions; the same for the same input, whatever else is in the batch."""


class Unfitted(nn.Module):
    """A head that is not fitted to the demonstrations: it gives normalised actions as they are."""

    @staticmethod
    def fit(examples: Examples, **_own: Any) -> dict[str, Any]:
        """Nothing."""
        return {}


class Context(nn.Module):
    """k hidden states and the robot's normalised state → one vector of `width` numbers."""

    def __init__(self, *, width: int, codes_per_step: int, state_dim: int, state_width: int) -> None:
        super().__init__()
        self.state = nn.Sequential(nn.Linear(state_dim, state_width), nn.GELU(), nn.Linear(state_width, state_width))
        self.width = codes_per_step * width + state_width

    def forward(self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"]) -> Float[Tensor, "b f"]:
        """Side by side."""
        return torch.cat([rearrange(hidden, "b k d -> b (k d)"), self.state(state)], dim=1)


def masked_mean(errors: Float[Tensor, "b n a"], mask: Bool[Tensor, "b n a"]) -> Float[Tensor, ""]:
    """Mean over the dimensions of each step, then over the steps that have any: robots with more joints do not count more."""
    dimensions = mask.sum(dim=-1)
    steps = torch.where(mask, errors, 0.0).sum(dim=-1) / dimensions.clamp(min=1)
    return steps[dimensions > 0].mean()
