"""Hidden states of the k queries and the present picture in, how a small picture will have changed out."""

import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lapa.ranks import mean_over_ranks

STILL = 1e-4  # of [0, 1]², added to how much pictures change: a batch in which nothing moves divides by no zero


class FutureDecoder(nn.Module):
    """An MLP that reads what the codes are read from: does one space serve to foretell pictures and to act?

    `weight`: of its loss beside that of the codes.
    """

    def __init__(self, *, width: int, codes_per_step: int, weight: float, side_px: int, hidden: int) -> None:
        super().__init__()
        self.weight, self.side_px = weight, side_px
        pixels = 3 * side_px**2
        self.change = nn.Sequential(
            nn.Linear(codes_per_step * width + pixels, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, pixels),
        )  # fmt: skip

    def forward(self, hidden: Float[Tensor, "b k d"], now: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 s s"]:
        """Change of the small picture, in shares of the full scale."""
        features = torch.cat([rearrange(hidden, "b k d -> b (k d)"), self.small(now).flatten(1)], dim=1)
        return rearrange(self.change(features), "b (c h w) -> b c h w", c=3, h=self.side_px)

    def loss(
        self, hidden: Float[Tensor, "b k d"], now: UInt8[Tensor, "b 3 h w"], after: UInt8[Tensor, "b 3 h w"]
    ) -> Float[Tensor, ""]:
        """Squared error as a share of the squared change: 1 says that the picture stays."""
        wanted = self.small(after) - self.small(now)
        error = (self(hidden, now).float() - wanted).square().mean()
        return error / (mean_over_ranks(wanted.square().mean()) + STILL)

    def small(self, pictures: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 s s"]:
        """[0, 255] → [0, 1], each cell the mean of its pixels."""
        return nn.functional.adaptive_avg_pool2d(pictures.float() / 255, self.side_px)
