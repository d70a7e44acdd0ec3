"""A seed in, frame pairs whose motion is known out: the two-dimensional yardstick of the quantizer's tests."""

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

Frames = UInt8[Tensor, "b 3 h w"]
STEPS = torch.tensor([(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)])


def sprites(count: int, image_px: int, seed: int) -> tuple[Frames, Frames, Int64[Tensor, "b"]]:
    """Before, after, direction in [0, 8): a square of 3/16 of the image moves by 1/8 of it over a background of soft noise."""
    rng = torch.Generator().manual_seed(seed)
    noise = torch.rand(count, 3, 4, 4, generator=rng)
    background = F.interpolate(noise, size=(image_px, image_px), mode="bilinear") * 0.5
    colour = torch.rand(count, 3, 1, 1, generator=rng) * 0.5 + 0.5
    direction = torch.randint(8, (count,), generator=rng)
    side, step = round(image_px * 3 / 16), image_px // 8
    corner = torch.randint(step, image_px - side - step + 1, (count, 2), generator=rng)
    frames = [_paint(background, colour, place, side) for place in (corner, corner + STEPS[direction] * step)]
    return frames[0], frames[1], direction


def _paint(background: Tensor, colour: Tensor, corner: Tensor, side: int) -> Frames:
    line = torch.arange(background.shape[-1])
    inside = (line >= corner[..., None]) & (line < corner[..., None] + side)  # [b 2 n]
    square = inside[:, 0, :, None] & inside[:, 1, None, :]
    return torch.where(square[:, None], colour, background).mul(255).round().to(torch.uint8)


def direction_accuracy(codes: Int64[Tensor, "b k"], direction: Int64[Tensor, "b"], num_codes: int) -> float:
    """Share of directions that ridge regression on one-hot codes decodes: fit on the first half, scored on the second."""
    features = torch.cat((F.one_hot(codes, num_codes).flatten(1), torch.ones(len(codes), 1)), 1).double()
    truth, half = F.one_hot(direction, 8).double(), len(codes) // 2
    gram = features[:half].T @ features[:half] + 1e-3 * torch.eye(features.shape[1], dtype=torch.double)
    weights = torch.linalg.solve(gram, features[:half].T @ truth[:half])
    return float(((features[half:] @ weights).argmax(1) == direction[half:]).double().mean())
