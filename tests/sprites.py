"""A seed in, frame pairs whose motion is known out: the two-dimensional yardstick of the quantizer's tests."""

import torch
from jaxtyping import Float, Int64, UInt8
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


def hard_sprites(count: int, image_px: int, seed: int) -> tuple[Frames, Frames, Int64[Tensor, "b"]]:
    """As `sprites`, but three squares share the direction, two more go ways of their own, and the camera moves over a
    texture by up to 1/12 of the image. Which squares belong together has to be found out: all look alike.
    """
    rng = torch.Generator().manual_seed(seed)
    margin, side, step = max(1, image_px // 12), round(image_px / 6), image_px // 8
    wide = image_px + 2 * margin
    noise = torch.rand(count, 3, wide // 2, wide // 2, generator=rng)
    texture = F.interpolate(noise, size=(wide, wide), mode="bilinear") * 0.5
    camera = torch.randint(-margin, margin + 1, (count, 2), generator=rng)
    directions = torch.randint(8, (count, 3), generator=rng)[:, [0, 0, 0, 1, 2]]  # of five squares
    corners = torch.randint(step, image_px - side - step + 1, (count, 5, 2), generator=rng)
    colours = torch.rand(count, 5, 3, 1, 1, generator=rng) * 0.5 + 0.5
    frames = []
    for view, places in ((0 * camera, corners), (camera, corners + STEPS[directions] * step)):
        picture = _crop(texture, margin + view, image_px)
        for square in range(5):
            picture = _put(picture, colours[:, square], places[:, square], side)
        frames.append(picture.mul(255).round().to(torch.uint8))
    return frames[0], frames[1], directions[:, 0]


def _crop(images: Tensor, corner: Tensor, size: int) -> Tensor:
    line = torch.arange(size)
    rows, columns = (corner[:, i, None] + line for i in (0, 1))
    batch = torch.arange(len(images))
    return images[batch[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _paint(background: Tensor, colour: Tensor, corner: Tensor, side: int) -> Frames:
    return _put(background, colour, corner, side).mul(255).round().to(torch.uint8)


def _put(background: Tensor, colour: Tensor, corner: Tensor, side: int) -> Tensor:
    line = torch.arange(background.shape[-1])
    inside = (line >= corner[..., None]) & (line < corner[..., None] + side)  # [b 2 n]
    square = inside[:, 0, :, None] & inside[:, 1, None, :]
    return torch.where(square[:, None], colour, background)


def direction_accuracy(codes: Int64[Tensor, "b k"], direction: Int64[Tensor, "b"], num_codes: int) -> float:
    """Share of directions that ridge regression on one-hot codes decodes: fit on the first half, scored on the second."""
    return decoded(F.one_hot(codes, num_codes).flatten(1), direction)


def decoded(numbers: Float[Tensor, "b d"], direction: Int64[Tensor, "b"]) -> float:
    """As `direction_accuracy`, from any numbers."""
    features = torch.cat((numbers, torch.ones(len(numbers), 1)), 1).double()
    truth, half = F.one_hot(direction, 8).double(), len(numbers) // 2
    gram = features[:half].T @ features[:half] + 1e-3 * torch.eye(features.shape[1], dtype=torch.double)
    weights = torch.linalg.solve(gram, features[:half].T @ truth[:half])
    return float(((features[half:] @ weights).argmax(1) == direction[half:]).double().mean())
