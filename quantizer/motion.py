"""Two frames in, the displacement of each patch and of the whole picture out: block matching, with no learnt part."""

from typing import NamedTuple

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Motion(NamedTuple):
    """Where things went, (down, right) as a share of the image's side; patches row by row, n = grid²."""

    flow: Float[Tensor, "b n 2"]  # of each patch
    trust: Float[Tensor, "b n"]  # share of the patch, 0 to 1, whose motion is known
    drift: Float[Tensor, "b 2"]  # of all that moves, taken together


class BlockMatching(nn.Module):
    """Finds where the `most_changed` pixels of `before`, shrunk to `match_px` a side, went in `after`.

    The window around each (`window_px` a side) is compared with every window of `after` within `radius_px`. A pixel's
    displacement is the soft arg-min of the mean squared differences, at temperature `noise`² (`noise` as a share of the
    full brightness). It is trusted as far as (1) the pixel changed at all, (2) moving explains the change, and (3) the
    match is sharp: its standard deviation is small against `sharp_px`. So video noise, what gets uncovered, and plain
    surfaces hardly count, and what stands still moves by zero.

    Small windows matter: on a simulated hand, a linear map from `drift` to the hand's true motion has R² 0.64 with 3 × 3
    windows at every pixel, 0.57 with 4 × 4 at every second, 0.28 with 6 × 6 at every fourth and no trust in sharpness.
    """

    places: Tensor
    far: Tensor

    def __init__(
        self, *, match_px: int, grid: int, window_px: int, radius_px: int, most_changed: int, noise: float, sharp_px: float
    ) -> None:  # fmt: skip
        super().__init__()
        if match_px % grid or window_px % 2 == 0 or not 0 < most_changed <= match_px**2:
            raise ValueError(
                f"match_px {match_px} must be a multiple of the {grid} patches a side, window_px {window_px} odd, and "
                f"most_changed {most_changed} at most match_px²"
            )
        self.match_px, self.grid, self.window_px, self.most_changed = match_px, grid, window_px, most_changed
        self.noise, self.sharp_px = noise, sharp_px
        line = torch.arange(match_px).float()
        places = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).flatten(0, 1)
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("far", torch.cdist(places, places, p=torch.inf) > radius_px, persistent=False)

    @torch.no_grad()
    def forward(self, before: Float[Tensor, "b 3 h w"], after: Float[Tensor, "b 3 h w"]) -> Motion:
        """Frames of one scale of brightness, 1 from black to white."""
        with torch.autocast(before.device.type, enabled=False):
            ours, theirs = self._windows(before), self._windows(after)
            still, chosen = (ours - theirs).square().mean(-1).topk(self.most_changed)  # [b k]
            ours = ours.gather(1, chosen[..., None].expand(-1, -1, ours.shape[-1]))
            step, trust = self._match(still, self._cost(ours, theirs), chosen)
            return self._pooled(step / self.match_px, trust, chosen)

    def _windows(self, images: Tensor) -> Float[Tensor, "b m d"]:
        """The window around each pixel of the shrunk image."""
        small = F.interpolate(images.float(), size=(self.match_px, self.match_px), mode="area")
        margin = self.window_px // 2
        padded = F.pad(small, (margin, margin, margin, margin), mode="replicate")
        return rearrange(F.unfold(padded, self.window_px), "b d m -> b m d")

    def _cost(self, ours: Float[Tensor, "b k d"], theirs: Float[Tensor, "b m d"]) -> Float[Tensor, "b k m"]:
        """Mean squared difference of every pair of windows, as one matrix product."""
        squares = ours.square().sum(-1)[:, :, None] + theirs.square().sum(-1)[:, None, :]
        return torch.baddbmm(squares, ours, theirs.mT, alpha=-2).clamp_min_(0).div_(ours.shape[-1])

    def _match(
        self, still: Tensor, cost: Tensor, chosen: Tensor
    ) -> tuple[Float[Tensor, "b k 2"], Float[Tensor, "b k"]]:
        """Displacement in pixels of the shrunk image, and how far it is to be trusted."""
        variance = self.noise**2
        match = cost.div(-variance).masked_fill_(self.far[chosen], -torch.inf).softmax(-1)
        place, square = match @ self.places, match @ self.places.square().sum(-1)
        spread = (square - place.square().sum(-1)).clamp_min(0)
        explained = (1 - (match * cost).sum(-1) / (still + variance)).clamp(0, 1)
        trust = explained * still / (still + variance) / (1 + spread / self.sharp_px**2)
        return place - self.places[chosen], trust

    def _pooled(self, step: Tensor, trust: Tensor, chosen: Tensor) -> Motion:
        """Trusted averages over each patch and over the picture; one pixel more in the divisor, so that no trust is zero."""
        table = torch.zeros(len(step), self.match_px**2, 3, device=step.device)
        values = torch.cat((step * trust[..., None], trust[..., None]), -1)
        table.scatter_(1, chosen[..., None].expand(-1, -1, 3), values)
        sums = reduce(
            table, "b (h p w q) c -> b (h w) c", "sum", h=self.grid, w=self.grid, p=self.match_px // self.grid
        )
        total = sums.sum(1)
        pixels = (self.match_px // self.grid) ** 2
        return Motion(sums[..., :2] / (sums[..., 2:] + 1), sums[..., 2] / pixels, total[:, :2] / (total[:, 2:] + 1))
