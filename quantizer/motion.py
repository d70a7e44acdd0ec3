"""Two frames in, the displacement of each patch out: dense motion by block matching, with no learnt part."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class BlockMatching(nn.Module):
    """Finds for each patch of `before` where it went in `after`.

    Both frames are shrunk to `match_px`; a window of `window_px` around each of grid × grid patches is compared (mean of
    squared differences) with every window of `after` within `radius_px`. The answer is the soft arg-min (temperature
    `noise`², a variance in pixel units of [0, 1]), times the share of the cost at rest that moving explains. So a window that
    stands still, or is only noise, moves by zero. All window pairs at once are one matrix product.
    """

    offsets: Tensor
    outside: Tensor

    def __init__(self, *, match_px: int, grid: int, window_px: int, radius_px: int, noise: float) -> None:
        super().__init__()
        if match_px % grid or (window_px - match_px // grid) % 2:
            raise ValueError(
                f"match_px {match_px} must be a multiple of the {grid} patches a side, and window_px {window_px} must be "
                f"the patch's {match_px // grid} plus an even margin"
            )
        self.match_px, self.grid, self.window_px, self.noise = match_px, grid, window_px, noise
        self.margin = (window_px - match_px // grid) // 2
        offsets = _offsets(match_px, grid)
        self.register_buffer("offsets", offsets, persistent=False)
        self.register_buffer("outside", offsets.abs().amax(-1) > radius_px, persistent=False)

    @torch.no_grad()
    def forward(
        self, before: Float[Tensor, "b 3 h w"], after: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b n 2"]:
        """Displacement (down, right) of each patch as a share of the image's side, n = grid², row by row."""
        with torch.autocast(before.device.type, enabled=False):
            cost = self._cost(self._windows(before, self.match_px // self.grid), self._windows(after, 1))
            still = cost[:, ~self.outside & (self.offsets == 0).all(-1)].unflatten(1, (-1, 1))
            best = (-(cost - still) / self.noise**2).masked_fill(self.outside, -torch.inf).softmax(-1)
            explained = 1 - (best * cost).sum(-1, keepdim=True) / (still + self.noise**2)
            return torch.einsum("bnm,nmc->bnc", best, self.offsets) * explained.clamp(0, 1) / self.match_px

    def _windows(self, images: Tensor, stride: int) -> Float[Tensor, "b m d"]:
        """Windows of the shrunk image every `stride` pixels; the first begins `margin` pixels outside it."""
        small = F.interpolate(images.float(), size=(self.match_px, self.match_px), mode="area")
        low, high = self.margin, self.window_px - 1 - self.margin if stride == 1 else self.margin
        padded = F.pad(small, (low, high, low, high), mode="replicate")
        return rearrange(F.unfold(padded, self.window_px, stride=stride), "b d m -> b m d")

    def _cost(self, ours: Float[Tensor, "b n d"], theirs: Float[Tensor, "b m d"]) -> Float[Tensor, "b n m"]:
        """Mean squared difference of every pair of windows."""
        squares = ours.square().sum(-1)[:, :, None] + theirs.square().sum(-1)[:, None, :]
        return (squares - 2 * ours @ theirs.mT).clamp_min(0) / ours.shape[-1]


def _offsets(match_px: int, grid: int) -> Float[Tensor, "n m 2"]:
    """Pixels (down, right) from the n patches' corners to the m = match_px² window positions."""
    every, step = torch.arange(match_px).float(), torch.arange(0, match_px, match_px // grid).float()
    there = torch.stack(torch.meshgrid(every, every, indexing="ij"), -1).flatten(0, 1)
    here = torch.stack(torch.meshgrid(step, step, indexing="ij"), -1).flatten(0, 1)
    return there[None] - here[:, None]
