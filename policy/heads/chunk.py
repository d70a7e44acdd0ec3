"""Hidden states of the k queries and the robot's state in, a chunk of normalised actions out."""

from typing import Any

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from policy.heads.action import Context, Unfitted, masked_mean


class ChunkHead(Unfitted):
    """n actions at once by an MLP, trained with the mean absolute error (OpenVLA-OFT, Kim et al. 2025, arXiv 2502.19645)."""

    def __init__(
        self, *, width: int, codes_per_step: int, state_dim: int, action_dim: int, chunk_steps: int,
        statistics: dict[str, Any], state_width: int, hidden: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.chunk_steps = chunk_steps
        self.context = Context(width=width, codes_per_step=codes_per_step, state_dim=state_dim, state_width=state_width)
        self.layers = nn.Sequential(
            nn.Linear(self.context.width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, chunk_steps * action_dim),
        )  # fmt: skip

    def loss(
        self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"], wanted: Float[Tensor, "b n a"],
        mask: Bool[Tensor, "b n a"],
    ) -> Float[Tensor, ""]:  # fmt: skip
        """Mean absolute error."""
        return masked_mean((self.act(hidden, state).float() - wanted).abs(), mask)

    def act(self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"]) -> Float[Tensor, "b n a"]:
        """One pass."""
        return rearrange(self.layers(self.context(hidden, state)), "b (n a) -> b n a", n=self.chunk_steps)
