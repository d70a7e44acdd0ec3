"""video_data.filters: a small hand that moves is motion, compression noise is not."""

import pytest
import torch

from video_data.clip import Clip, clip_key
from video_data.filters import Filters, judge, moving_share

FILTERS = Filters(min_clip_s=0.7, gap_s=0.5, pixel_change=16, min_moving_share=0.002)


def clip(frames: torch.Tensor) -> Clip:
    return Clip("k", frames, 10.0, "", "a.mp4", "", 0.0, {})


def noise(length: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(100, 108, (length, 3, 64, 64), generator=rng, dtype=torch.uint8)


def test_noise_is_dropped_and_a_small_mover_is_kept():
    still, moving = noise(20), noise(20)
    for number, frame in enumerate(moving):
        frame[0, 30:35, 2 * number : 2 * number + 5] = 220
    assert judge(clip(still), FILTERS).reason == "no motion"
    assert judge(clip(moving), FILTERS).reason is None


@pytest.mark.parametrize("length, reason", [(6, "too short"), (7, "no motion")])
def test_a_clip_shorter_than_asked_is_dropped(length, reason):
    assert judge(clip(noise(length)), FILTERS).reason == reason


def test_moving_share_counts_pixels():
    frames = torch.zeros(2, 3, 10, 10, dtype=torch.uint8)
    frames[1, 2, :3, :4] = 200
    assert moving_share(frames, gap=1, pixel_change=16) == pytest.approx(0.12)
    assert moving_share(frames.flip(0), gap=1, pixel_change=16) == pytest.approx(0.12)


def test_keys_are_readable_and_differ_where_names_only_look_alike():
    keys = {clip_key(path, 0) for path in ("a.b.mp4", "a_b.mp4", "a/b.mp4", "a b.mp4", "a.b.mkv")}
    assert len(keys) == 5 and all(key.startswith("a_b-") for key in keys)
    assert clip_key("x/" + "long " * 99 + ".mp4", 3).endswith("@003")
