"""quantizer.camera: a shifted picture is shifted back; what moves before a still background is left alone."""

import pytest
import torch
from sprites import sprites

from quantizer.blocks import to_unit
from quantizer.camera import Steady


def textured(count: int, side: int = 48) -> torch.Tensor:
    """Smooth random pictures in [-0.5, 0.5]."""
    noise = torch.rand(count, 3, side // 4, side // 4, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(noise, size=(side, side), mode="bicubic").clamp(0, 1) - 0.5


@pytest.mark.parametrize("step", [(3, 0), (0, -5), (-4, 2)])
def test_a_moving_camera_is_held_still(step):
    wide = textured(8, 64)
    before, after = wide[:, :, 8:56, 8:56], wide[:, :, 8 - step[0] : 56 - step[0], 8 - step[1] : 56 - step[1]]
    steady = Steady(most=0.2, gain=0.1)
    found = steady.shift(before, after) * 48
    assert (found - torch.tensor(step)).abs().max() < 1e-3
    inner = (..., slice(8, -8), slice(8, -8))
    assert (steady(before, after) - after)[inner].abs().max() < 1e-4 < (before - after)[inner].abs().max()


def test_a_sprite_before_a_still_background_is_no_camera():
    before, after, _ = (to_unit(x) if x.ndim == 4 else x for x in sprites(32, 24, seed=0))
    assert torch.equal(Steady(most=0.25, gain=0.1)(before, after), before)


def test_zero_leaves_everything():
    before = textured(2)
    assert Steady(most=0.0, gain=0.1)(before, before.roll(3, -1)) is before
