"""Frame pairs and codes in, two PNGs out: what the decoder makes of the codes, and one pair's codes on another's frame."""

from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from torch import Tensor

from lapa.files import atomic_path
from quantizer.model import Quantizer

Images = UInt8[Tensor, "b 3 h w"]
ROWS, SCALE, GAP_PX = 8, 2, 2


@torch.inference_mode()
def draw_strips(quantizer: Quantizer, before: Images, after: Images, codes: Int64[Tensor, "b k"], path: Path) -> None:
    """Rows of: before, after, prediction from before and codes, |after − before|, |after − prediction| (twice as bright)."""
    chosen = varied(quantizer, before, after, ROWS)
    first, second = before[chosen].float(), after[chosen].float()
    guess = quantizer.decode(before[chosen], codes[chosen])
    differences = [(second - image).abs().mul(2).clamp_max(255) for image in (first, guess)]
    save_grid(torch.stack((first, second, guess, *differences), 1), path)


@torch.inference_mode()
def draw_swaps(quantizer: Quantizer, before: Images, after: Images, codes: Int64[Tensor, "b k"], path: Path) -> None:
    """First row: where codes come from (their second frames). Then each frame as those codes would move it, drawn as the
    change (grey: none), so that a column should show one motion on all rows."""
    chosen = varied(quantizer, before, after, ROWS)
    rows = [torch.cat((torch.full_like(after[:1], 255), after[chosen])).float()]
    for row in chosen:
        frames = before[row].expand(len(chosen), -1, -1, -1)
        change = quantizer.decode(frames, codes[chosen]) - frames
        rows.append(torch.cat((before[row][None].float(), (128 + 2 * change).clamp(0, 255))))
    save_grid(torch.stack(rows), path)


def varied(quantizer: Quantizer, before: Images, after: Images, count: int) -> Int64[Tensor, "n"]:
    """Numbers of `count` pairs among the quarter that drifts farthest, evenly spread over the directions of drift."""
    drift = torch.cat(
        [quantizer.mean_motion(*parts) for parts in zip(before.split(256), after.split(256), strict=True)]
    )
    top = drift.norm(dim=1).topk(max(min(count, len(drift)), len(drift) // 4)).indices
    around = top[torch.atan2(drift[top, 0], drift[top, 1]).argsort()]
    return around[torch.linspace(0, len(around) - 1, min(count, len(around))).long()]


def save_grid(images: Float[Tensor, "r c 3 h w"], path: Path) -> None:
    """Write images in [0, 255] as one PNG, `GAP_PX` white pixels apart, enlarged `SCALE` times."""
    white = torch.nn.functional.pad(images.clamp(0, 255), (0, GAP_PX, 0, GAP_PX), value=255.0)
    grid = rearrange(white, "r c x h w -> (r h) (c w) x").round().to(torch.uint8).numpy()
    with atomic_path(path) as partial:
        Image.fromarray(np.kron(grid, np.ones((SCALE, SCALE, 1), np.uint8))).save(partial, format="PNG")
