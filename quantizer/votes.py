"""Displacements of single pixels in, how many went which way out: a histogram that keeps two movers apart."""

from math import asinh

import torch
from jaxtyping import Float
from torch import Tensor

FINE_PX = 1.0  # below this displacements are told apart evenly, above it ever more coarsely


def ballot(
    step: Float[Tensor, "b k 2"], trust: Float[Tensor, "b k"], *, side: int, radius_px: float
) -> Float[Tensor, "b v"]:
    """Each pixel votes for its displacement (in pixels, at most `radius_px`) with its trust: v = side² cells, row by row.

    A mean of all displacements is a motion that nobody made as soon as two things move; here each has a cell of its own.
    A vote is shared among the four nearest cells (they lie evenly in asinh of the displacement); what stands still has no
    cell. Square roots (Hellinger), so that a small mover beside a large one still counts. Every number is in [0, 1].
    """
    places = torch.asinh(step / FINE_PX) / asinh(radius_px / FINE_PX) * (side // 2)
    cells = torch.arange(side, device=step.device) - side // 2
    near = (1 - (places[..., None] - cells).abs()).clamp_min(0)  # [b k 2 side]
    votes = torch.einsum("bkr,bkc,bk->brc", near[:, :, 0], near[:, :, 1], trust) / step.shape[1]
    votes[:, side // 2, side // 2] = 0
    return votes.sqrt().flatten(1)
