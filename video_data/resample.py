"""Time stamps and a frame rate in, the numbers of the frames to take out; any picture in, a small square out."""

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

TIE_S = 1e-3  # containers round time stamps to 1 ms; two frames equally near must not be chosen by rounding
Picture = UInt8[np.ndarray, "h w 3"]


class Square(NamedTuple):
    """What a picture becomes."""

    fit: str  # one of `FITS`
    image_px: int  # side


def nearest_frames(times_s: Float[np.ndarray, "n"], fps: float) -> Int[np.ndarray, "t"]:
    """For each instant 0, 1/fps, 2/fps … of the video the number of the frame shown closest to it.

    Works on time stamps, never on a nominal rate, so a variable frame rate keeps its true speed. Numbers do not
    decrease; one is repeated where the video is slower than `fps`.
    """
    times = times_s - times_s[0]
    instants = np.arange(int(np.floor(times[-1] * fps + TIE_S * fps)) + 1) / fps
    right = np.clip(np.searchsorted(times, instants), 1, max(len(times) - 1, 1))
    if len(times) == 1:
        return np.zeros(1, dtype=np.int64)
    closer_left = instants - times[right - 1] <= times[right] - instants + TIE_S
    return np.where(closer_left, right - 1, right)


def even_cuts(count: int, longest: int) -> list[tuple[int, int]]:
    """Cut `count` frames into the fewest pieces of at most `longest`, equally long (±1): no stub is lost."""
    pieces = -(-count // longest)
    edges = [count * i // pieces for i in range(pieces + 1)]
    return list(pairwise(edges))


def crop(picture: Picture, image_px: int) -> Picture:
    """The largest centred square, shrunk to `image_px` by area averaging (no aliasing)."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return _resize(picture[top : top + side, left : left + side], image_px, image_px)


def pad(picture: Picture, image_px: int) -> Picture:
    """The whole picture, its longer side shrunk to `image_px`, centred on black."""
    height, width = picture.shape[:2]
    return centred(_resize(picture, *whole_size(height, width, image_px)), image_px)


def whole_size(height: int, width: int, image_px: int) -> tuple[int, int]:
    """(height, width) [px] of a picture whose longer side has `image_px`."""
    scale = image_px / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def centred(small: Picture, image_px: int) -> Picture:
    """A picture in the middle of a black square."""
    if small.shape == (image_px, image_px, 3):
        return small
    top, left = (image_px - small.shape[0]) // 2, (image_px - small.shape[1]) // 2
    square = np.zeros((image_px, image_px, 3), dtype=np.uint8)
    square[top : top + small.shape[0], left : left + small.shape[1]] = small
    return square


def _resize(picture: Picture, height: int, width: int) -> Picture:
    shrinks = height * width < picture.shape[0] * picture.shape[1]
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


FITS = {"crop": crop, "pad": pad}


def check_side(image_px: int, *, of: str) -> None:
    """ValueError for a side that no mp4 can have; `of`: what is cut so, in words."""
    if image_px < 2 or image_px % 2:
        raise ValueError(f"image_px={image_px}: {of} are mp4, whose sides are even")


def to_square(picture: Picture, square: Square) -> Picture:
    """A picture of any size as a small square."""
    return FITS[square.fit](picture, square.image_px)
