"""Frame pairs and codes in, PNGs out: what the decoder makes of codes, of other pairs' codes, and of each single code."""

from pathlib import Path

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from lapa.pictures import save_grid
from quantizer.model import Quantizer

Images = UInt8[Tensor, "b 3 h w"]
ROWS = 8
MOST_COLUMNS = 16  # codes shown of a large codebook, the most used


def varied(drift: Float[Tensor, "b 2"]) -> Int64[Tensor, "n"]:
    """Numbers of ROWS pairs among the quarter that drifts farthest, evenly spread over the directions of drift."""
    top = drift.norm(dim=1).topk(max(min(ROWS, len(drift)), len(drift) // 4)).indices
    around = top[torch.atan2(drift[top, 0], drift[top, 1]).argsort()]
    return around[torch.linspace(0, len(around) - 1, min(ROWS, len(around))).long()]


def draw_strips(quantizer: Quantizer, before: Images, after: Images, codes: Int64[Tensor, "b k"], path: Path) -> None:
    """Rows of: before, after, prediction from before and codes, |after − before|, |after − prediction| (twice as bright)."""
    first, second = before.float(), after.float()
    guess = quantizer.decode(before, codes)
    differences = [(second - image).abs().mul(2).clamp_max(255) for image in (first, guess)]
    save_grid(torch.stack((first, second, guess, *differences), 1), path)


def draw_swaps(quantizer: Quantizer, frames: Images, after: Images, codes: Int64[Tensor, "n k"], path: Path) -> None:
    """First row: where codes come from (their n second frames). Then each frame as those codes would move it, drawn as the
    change (grey: none), so that a column should show one motion on all rows."""
    rows = [torch.cat((torch.full_like(after[:1], 255), after)).float()]
    for frame in frames:
        same = frame.expand(len(codes), -1, -1, -1)
        rows.append(torch.cat((frame[None].float(), _contrast(quantizer.decode(same, codes), same.float()))))
    save_grid(torch.stack(rows), path)


def draw_codes(quantizer: Quantizer, frame: UInt8[Tensor, "3 h w"], codes: Int64[Tensor, "b k"], path: Path) -> None:
    """A row a slot: the frame moved by the usual step, then how the picture differs from that (grey: it does not) when this
    slot shows another code. The usual step has in each slot what `codes`, of many pairs, have there most often."""
    uses = torch.bincount(codes.flatten(), minlength=quantizer.num_codes)
    shown = uses.topk(min(MOST_COLUMNS, len(uses))).indices.sort().values
    usual, rows = codes.mode(0).values, []
    moved = quantizer.decode(frame[None], usual[None])
    for slot in range(codes.shape[1]):
        steps = usual.repeat(len(shown), 1)
        steps[:, slot] = shown
        pictures = quantizer.decode(frame.expand(len(shown), -1, -1, -1), steps)
        rows.append(torch.cat((moved, _contrast(pictures, moved))))
    save_grid(torch.stack(rows), path)


def _contrast(one: Float[Tensor, "b 3 h w"], other: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """How pictures differ, around grey, twice as strong."""
    return (128 + 2 * (one - other)).clamp(0, 255)
