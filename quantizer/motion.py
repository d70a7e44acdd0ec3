"""Two frames in, the displacement of each patch and of the whole picture out: block matching, with no learnt part."""

from typing import NamedTuple

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from quantizer.votes import ballot

CPU_PAIRS = 32  # matched at once on a CPU: what is in between stays in its cache


class Motion(NamedTuple):
    """Where things went, (down, right) as a share of the image's side; patches row by row, n = grid²."""

    flow: Float[Tensor, "b n 2"]  # of each patch
    trust: Float[Tensor, "b n"]  # share of the patch, 0 to 1, whose motion is known
    drift: Float[Tensor, "b 2"]  # of all that moves, taken together
    votes: Float[Tensor, "b v"]  # how much of the picture went which way, see votes.py


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
    penalty: Tensor

    def __init__(
        self, *, match_px: int, grid: int, window_px: int, radius_px: int, most_changed: int, noise: float, sharp_px: float,
        votes_side: int,
    ) -> None:  # fmt: skip
        super().__init__()
        if match_px % grid or not window_px % 2 * votes_side % 2 or not 0 < most_changed <= match_px**2:
            raise ValueError(
                f"match_px {match_px} must be a multiple of the {grid} patches a side, window_px {window_px} and "
                f"votes_side {votes_side} odd, most_changed {most_changed} at most match_px²"
            )
        self.match_px, self.grid, self.window_px, self.most_changed = match_px, grid, window_px, most_changed
        self.noise, self.sharp_px = noise, sharp_px
        self.votes_side, self.radius_px = votes_side, radius_px
        line = torch.arange(match_px).float()
        places = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1).flatten(0, 1)
        far = torch.cdist(places, places, p=torch.inf) > radius_px
        self.register_buffer("places", places, persistent=False)
        self.register_buffer("penalty", torch.zeros(far.shape).masked_fill_(far, -torch.inf), persistent=False)

    @torch.no_grad()
    def forward(self, before: Float[Tensor, "b 3 h w"], after: Float[Tensor, "b 3 h w"]) -> Motion:
        """Frames of one scale of brightness, 1 from black to white."""
        at_once = CPU_PAIRS if before.device.type == "cpu" else max(1, len(before))
        with torch.autocast(before.device.type, enabled=False):
            parts = [self._find(*pair) for pair in zip(before.split(at_once), after.split(at_once), strict=True)]
        return Motion(*(torch.cat(part) for part in zip(*parts, strict=True)))

    def _find(self, before: Tensor, after: Tensor) -> Motion:
        ours, theirs = self._shrunk(before), self._shrunk(after)
        changed = F.avg_pool2d((ours - theirs).square().mean(1), self.window_px, stride=1)
        still, chosen = changed.flatten(1).topk(self.most_changed)  # [b k]
        windows = rearrange(F.unfold(ours, self.window_px), "b d m -> b m d")
        windows = windows.gather(1, chosen[..., None].expand(-1, -1, windows.shape[-1]))
        step, trust = self._match(still, chosen, windows, F.unfold(theirs, self.window_px))
        flow, known, drift = self._pooled(step / self.match_px, trust, chosen)
        return Motion(flow, known, drift, ballot(step, trust, side=self.votes_side, radius_px=self.radius_px))

    def _shrunk(self, images: Tensor) -> Float[Tensor, "b 3 h w"]:
        """`match_px` a side, and as much border as windows reach over it."""
        small = F.interpolate(images.float(), size=(self.match_px, self.match_px), mode="area")
        return F.pad(small, (self.window_px // 2,) * 4, mode="replicate")

    def _match(
        self, still: Tensor, chosen: Tensor, ours: Float[Tensor, "b k d"], theirs: Float[Tensor, "b d m"]
    ) -> tuple[Float[Tensor, "b k 2"], Float[Tensor, "b k"]]:
        """Displacement in pixels of the shrunk image, and how far it is to be trusted.

        There are k·m numbers of how well two windows match, so they are passed over as seldom as can be: one product gives
        the logits less what is the same for all m, and one gives every mean, the expected squared difference among them.
        """
        size, variance = ours.shape[-1], self.noise**2
        theirs = torch.cat((theirs, theirs.square().sum(1, keepdim=True)), 1)
        sharp = torch.cat((2 * ours, ours.new_full((), -1).expand(*still.shape, 1)), -1) / (size * variance)
        logits = self.penalty.index_select(0, chosen.flatten()).view(*still.shape, -1).baddbmm_(sharp, theirs)
        places = torch.cat((self.places, self.places.square().sum(1, keepdim=True)), 1).T
        means = torch.cat((places.expand(len(still), -1, -1), theirs), 1) @ logits.softmax(-1).mT  # [b 3+d+1 k]
        place, square, window, length = means.mT.split((2, 1, size, 1), -1)
        cost = (ours.square().sum(-1) - 2 * (ours * window).sum(-1) + length[..., 0]).clamp_min(0) / size
        spread = (square[..., 0] - place.square().sum(-1)).clamp_min(0)
        explained = (1 - cost / (still + variance)).clamp(0, 1)
        return place - self.places[chosen], explained * still / (still + variance) / (1 + spread / self.sharp_px**2)

    def _pooled(self, step: Tensor, trust: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Trusted averages over each patch and over the picture; one pixel more in the divisor, so that no trust is zero."""
        table = torch.zeros(len(step), self.match_px**2, 3, device=step.device)
        values = torch.cat((step * trust[..., None], trust[..., None]), -1)
        table.scatter_(1, chosen[..., None].expand(-1, -1, 3), values)
        sums = reduce(
            table, "b (h p w q) c -> b (h w) c", "sum", h=self.grid, w=self.grid, p=self.match_px // self.grid
        )
        total = sums.sum(1)
        pixels = (self.match_px // self.grid) ** 2
        return sums[..., :2] / (sums[..., 2:] + 1), sums[..., 2] / pixels, total[:, :2] / (total[:, 2:] + 1)
