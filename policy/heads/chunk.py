"""Hidden states of the k queries and the robot's state in, a chunk of normalised actions out."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn


class ChunkHead(nn.Module):
    """k hidden states and the robot's state → n normalised actions, by an MLP; trained with the mean absolute error."""

    def __init__(
        self, *, width: int, codes_per_step: int, state_dim: int, action_dim: int, chunk_steps: int, state_width: int,
        hidden: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.chunk_steps = chunk_steps
        self.state = nn.Sequential(nn.Linear(state_dim, state_width), nn.GELU(), nn.Linear(state_width, state_width))
        features = codes_per_step * width + state_width
        self.act = nn.Sequential(
            nn.Linear(features, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, chunk_steps * action_dim),
        )  # fmt: skip

    def forward(self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"]) -> Float[Tensor, "b n a"]:
        """Normalised actions from hidden states and the normalised state."""
        features = torch.cat([rearrange(hidden, "b k d -> b (k d)"), self.state(state)], dim=1)
        return rearrange(self.act(features), "b (n a) -> b n a", n=self.chunk_steps)

    def loss(
        self, predicted: Float[Tensor, "b n a"], wanted: Float[Tensor, "b n a"], mask: Bool[Tensor, "b n"]
    ) -> Float[Tensor, ""]:
        """Mean |predicted − wanted| over steps that exist."""
        return (predicted.float() - wanted).abs().mean(dim=-1)[mask].mean()
