"""lapa.video: a clip survives its round trip, and equal frames give equal bytes."""

import pytest
import torch

from lapa.video import decode_mp4, encode_mp4


def moving_block(frames: int = 12, side: int = 64) -> torch.Tensor:
    clip = torch.full((frames, 3, side, side), 120, dtype=torch.uint8)
    for t in range(frames):
        clip[t, 0, 20:30, 4 * t : 4 * t + 10] = 220
        clip[t, 1:, 20:30, 4 * t : 4 * t + 10] = 30
    return clip


def test_round_trip_keeps_colours():
    clip = moving_block()
    back = decode_mp4(encode_mp4(clip, fps=10))
    assert back.shape == clip.shape and back.dtype == torch.uint8
    assert (back.float() - clip.float()).abs().mean() < 3


def test_equal_frames_give_equal_bytes():
    noise = torch.nn.functional.interpolate(torch.rand(30, 3, 8, 8), size=64, mode="bilinear").mul(255).to(torch.uint8)
    assert len({encode_mp4(noise, fps=10) for _ in range(30)}) == 1


@pytest.mark.parametrize("shape", [(0, 3, 8, 8), (2, 3, 7, 8), (2, 1, 8, 8)])
def test_bad_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="even h"):
        encode_mp4(torch.zeros(shape, dtype=torch.uint8), fps=10)
