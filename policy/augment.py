"""Batches of images in, the same images moved by a few pixels out: a shift too small to change what to do."""

import torch
from einops import rearrange
from jaxtyping import UInt8
from torch import Tensor


def shift(images: UInt8[Tensor, "b c p h w"], *, max_px: int) -> UInt8[Tensor, "b c p h w"]:
    """Move every image by its own whole number of pixels in [−max_px, max_px], both ways; edges are repeated.

    Random shifts are what made learning from few pixels work in DrQ (Kostrikov et al. 2020, arXiv 2004.13649).
    """
    if max_px == 0:
        return images
    batch, cameras, _, height, width = images.shape
    flat = rearrange(images, "b c p h w -> (b c) p h w")
    rows, columns = (_places(len(flat), size, max_px, images.device) for size in (height, width))
    numbers = torch.arange(len(flat), device=images.device)[:, None, None, None]
    channels = torch.arange(flat.shape[1], device=images.device)[None, :, None, None]
    moved = flat[numbers, channels, rows[:, None, :, None], columns[:, None, None, :]]
    return rearrange(moved, "(b c) p h w -> b c p h w", b=batch, c=cameras)


def _places(count: int, size: int, max_px: int, device: torch.device) -> Tensor:
    offsets = torch.randint(-max_px, max_px + 1, (count, 1), device=device)
    return (torch.arange(size, device=device) + offsets).clamp(0, size - 1)
