"""video_data.shrink: a frame's exact mean colours, whatever its pixel format, and one shrinker for films that change."""

import av
import numpy as np
import pytest

from video_data.resample import Square, crop, pad
from video_data.shrink import Shrinker


def frame(form: str, size: tuple[int, int] = (96, 128)) -> av.VideoFrame:
    """Smooth colours with grain; `size` is (height, width)."""
    height, width = size
    ramps = np.stack(np.broadcast_arrays(np.arange(height)[:, None], np.arange(width), 90), -1)
    picture = ramps + np.random.default_rng(0).integers(0, 40, (*size, 3))
    return av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24").reformat(format=form)


def exact(film: av.VideoFrame, image_px: int) -> np.ndarray:
    """The middle square's mean colours by BT.601's own formula; its side is a multiple of `image_px`."""
    planes, (height, width) = film.to_ndarray().astype(float), (film.height, film.width)
    luma = (planes[:height] - 16) * 255 / 219
    blue, red = ((part.reshape(height // 2, width // 2) - 128) * 255 / 224 for part in np.split(planes[height:], 2))
    blue, red = (part.repeat(2, 0).repeat(2, 1) for part in (blue, red))
    colours = np.stack([luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue], -1)
    left, times = (width - height) // 2, height // image_px
    square = colours[:, left : left + height].clip(0, 255)
    return square.reshape(image_px, times, image_px, times, 3).mean((1, 3))


def test_a_frame_becomes_its_mean_colours():
    film = frame("yuv420p")
    assert np.abs(Shrinker(Square("crop", 32))(film) - exact(film, 32)).max() < 1


@pytest.mark.parametrize("form", ["yuv444p", "gray", "yuv420p10le", "bgra", "gbrp", "yuvj422p"])
@pytest.mark.parametrize("fit, by_hand", [("crop", crop), ("pad", pad)])
def test_odd_formats_are_as_by_way_of_rgb(form, fit, by_hand):
    film = frame(form)
    whole = by_hand(film.to_ndarray(format="rgb24"), 32)
    assert np.abs(Shrinker(Square(fit, 32))(film).astype(int) - whole).max() <= 4


def test_a_film_that_changes_its_size_and_format_goes_on():
    films, shrink = [frame("yuv420p"), frame("gray", (64, 48)), frame("yuv420p")], Shrinker(Square("pad", 32))
    for film in films:
        assert (shrink(film) == Shrinker(Square("pad", 32))(film)).all()
