"""quantizer.augment: both frames of a pair alike, pairs differently, nothing when nothing is asked."""

import torch

from quantizer.augment import Jitter


def test_both_frames_alike_and_pairs_differently():
    torch.manual_seed(0)
    frames = (torch.rand(1, 3, 24, 24) - 0.5).expand(6, -1, -1, -1)
    before, after = Jitter(shift=0.1, zoom=0.2, brightness=0.1, contrast=0.2)(frames, frames)
    assert torch.equal(before, after) and not torch.equal(before[0], before[1])
    assert before.shape == frames.shape and before.abs().max() <= 0.5


def test_brightness_keeps_the_difference_of_the_frames():
    torch.manual_seed(0)
    before = 0.2 * (torch.rand(4, 3, 8, 8) - 0.5)
    moved = before.roll(1, -1)
    one, other = Jitter(shift=0.0, zoom=0.0, brightness=0.2, contrast=0.0)(before, moved)
    assert torch.allclose(other - one, moved - before, atol=1e-6) and not torch.allclose(one, before)


def test_nothing_asked_nothing_changed():
    frames = torch.rand(2, 3, 8, 8) - 0.5
    same = Jitter(shift=0.0, zoom=0.0, brightness=0.0, contrast=0.0)(frames, frames)
    assert same[0] is frames and same[1] is frames
