"""Laws of block matching: what stands still moves by zero, what moves is found, noise and plain background hardly count."""

import pytest
import torch
from sprites import STEPS, sprites

from quantizer.blocks import to_unit
from quantizer.motion import BlockMatching

SETTINGS = dict(match_px=32, grid=8, window_px=3, radius_px=8, most_changed=96, noise=0.02, sharp_px=1.0, votes_side=7)


@pytest.fixture(scope="module")
def pairs():
    return sprites(64, 32, seed=5)


def test_the_sprites_motion_is_found(pairs):
    before, after, direction = pairs
    motion = BlockMatching(**SETTINGS)(to_unit(before), to_unit(after))
    truth = STEPS[direction] / 8
    assert (motion.drift - truth).norm(dim=1).median() < 0.04  # a step is 0.125 or 0.177
    assert motion.flow.shape == (64, 64, 2) and motion.trust.shape == (64, 64)
    assert 0 <= motion.trust.min() and motion.trust.max() <= 1


def test_what_stands_still_moves_by_zero_and_noise_is_not_trusted(pairs):
    still = to_unit(pairs[0])
    match = BlockMatching(**SETTINGS)
    assert match(still, still).drift.abs().max() == 0
    noisy = still + 0.005 * torch.randn(still.shape, generator=torch.Generator().manual_seed(0))
    assert match(still, noisy).drift.norm(dim=1).median() < 0.01


def test_shifting_both_frames_shifts_the_flow(pairs):
    before, after = (to_unit(frames[:8]) for frames in pairs[:2])
    match = BlockMatching(**(SETTINGS | {"most_changed": 32**2}))
    plain = match(before, after).flow.unflatten(1, (8, 8))
    shifted = match(before.roll(4, -1), after.roll(4, -1)).flow.unflatten(1, (8, 8))
    inner = slice(3, 6)  # away from the border, across which `roll` carries
    assert torch.allclose(plain[:, inner, inner], shifted[:, inner, 4:7], atol=0.02)


@pytest.mark.parametrize("wrong", [{"grid": 7}, {"window_px": 4}, {"most_changed": 2000}])
def test_impossible_settings_are_named(wrong):
    with pytest.raises(ValueError, match="match_px 32"):
        BlockMatching(**(SETTINGS | wrong))
