"""A clip in; the reason to drop it out, or None: too short, dark, blurred, still, frozen, moved by the camera alone.

A measurement ends where what is left of it cannot change the verdict.
"""

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from video_data.camera import measure_change
from video_data.clip import Clip

Greys = UInt8[np.ndarray, "t h w"]
ACROSS_PX = 3  # over which a picture changes at a border: it may lie a pixel beside the middle, and is blurred
BLUR_PX = 9  # the measure's own averaging, of Crete et al. 2007


class Filters(NamedTuple):
    """What a clip must have to be kept; see configs/build.yaml for what each number is worth."""

    min_clip_s: float  # [s]; must be longer than any gap that is trained on
    gap_s: float  # [s] between the frames that are compared
    pixel_change: int  # a pixel has changed when a channel moved by more than this, of 255: above noise and compression
    min_moving_share: float  # share of changed pixels, averaged over the clip, below which nothing moves
    cut_change: float  # of 255; a clip is cut in two where everything changes by more; 255: never
    cut_ratio: float  # and so many times as much as just before and after
    min_brightness: float  # of 255, mean of the clip
    max_blur: float  # in [0, 1]; 1: all may be blurred
    frozen_change: int  # of 255; a frame in which no pixel has changed by more is the same frame
    max_frozen_share: float  # of the clip; 1: all of it may be the same frame
    min_border_share: float  # of the line down the middle that is a border, where one half is frozen; above 1: never
    min_camera_shift: float  # share of the side by which a camera has moved; less is none
    min_own_share: float  # share of pixels that must change by more than the camera's motion; 0: none need to
    max_twin_bits: int  # of 256; two clips whose prints differ in no more are one; −1: all are kept


class Verdict(NamedTuple):
    """Why a clip is dropped (None: it is kept), and what was measured of that."""

    reason: str | None
    measured: float | None  # None: not measured


def judge(clip: Clip, filters: Filters) -> Verdict:
    """Whether `clip` is worth training on; the first reason counts, what is cheap to measure comes first."""
    gap = max(1, round(filters.gap_s * clip.fps))
    if len(clip.frames) < filters.min_clip_s * clip.fps or len(clip.frames) <= gap:
        return Verdict("too short", round(len(clip.frames) / clip.fps, 2))
    brightness = float(clip.frames.float().mean())
    if brightness < filters.min_brightness:
        return _dropped("too dark", brightness)
    changes = largest_changes(clip.frames, gap=gap)
    share = moving_share(changes, pixel_change=filters.pixel_change)
    if share < filters.min_moving_share:
        return _dropped("no motion", share)
    frozen = frozen_share(changes, frozen_change=filters.frozen_change)
    if frozen > filters.max_frozen_share:
        return _dropped("frozen", frozen)
    border = frozen_half_border(clip.frames, changes, filters)
    if border is not None and border >= filters.min_border_share:
        return _dropped("frozen half", border)
    return _judge_pictures(greys(clip.frames[::gap]), filters)


def _judge_pictures(pictures: Greys, filters: Filters) -> Verdict:
    """`pictures`: `filters.gap_s` apart."""
    blurred = float(np.median([blur(picture) for picture in pictures]))
    if blurred > filters.max_blur:
        return _dropped("blurred", blurred)
    own = camera_alone(pictures, filters)
    return Verdict(None, None) if own is None else _dropped("camera alone", own)


def camera_alone(pictures: Greys, filters: Filters) -> float | None:
    """The share of pixels that change by more than the camera's motion, where it is too small and the camera moves."""
    pairs, own, moves = list(pairwise(pictures)), 0.0, False
    for before, after in pairs:
        if own >= filters.min_own_share * len(pairs):
            return None
        change = measure_change(before, after, pixel_change=filters.pixel_change, min_shift=filters.min_camera_shift)
        own, moves = own + change.own_share, moves or change.camera_moves
    own /= len(pairs)
    return own if moves and own < filters.min_own_share else None


def _dropped(reason: str, measured: float) -> Verdict:
    return Verdict(reason, round(measured, 5))


def greys(frames: UInt8[Tensor, "t 3 h w"]) -> Greys:
    """Brightness of each pixel."""
    return np.stack([cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in frames.permute(0, 2, 3, 1).numpy()])


def largest_changes(frames: UInt8[Tensor, "t 3 h w"], *, gap: int) -> UInt8[Tensor, "m h w"]:
    """By how much, of 255, each pixel changes within `gap` frames of each moment: its channel that changes most."""
    before, after = frames[:-gap], frames[gap:]
    return (torch.maximum(before, after) - torch.minimum(before, after)).amax(dim=1)


def moving_share(changes: UInt8[Tensor, "m h w"], *, pixel_change: int) -> float:
    """The share of pixels, in [0, 1], that change by more; a mean difference would drown a small hand."""
    return float((changes > pixel_change).float().mean())


def frozen_share(changes: UInt8[Tensor, "m h w"], *, frozen_change: int) -> float:
    """The share of moments, in [0, 1], from which on not one pixel changes by more: the picture stands."""
    return float((changes.flatten(1).amax(dim=1) <= frozen_change).float().mean())


def frozen_half_border(
    frames: UInt8[Tensor, "t 3 h w"], changes: UInt8[Tensor, "m h w"], filters: Filters
) -> float | None:
    """The share, in [0, 1], of the line down the middle where the picture changes more than on either side of it, when the
    left or the right half is frozen: two films beside each other, one of which stands. None where neither half is, or
    pictures are too small to tell.

    A half in which nothing happens is as still before a camera on a tripod, in a simulation or after compression: only
    the border tells. Films one above the other are not looked for: the edge of a table is a border too.
    """
    middle = changes.shape[2] // 2
    halves = changes[:, :, :middle], changes[:, :, middle:]
    still = max(frozen_share(half, frozen_change=filters.frozen_change) for half in halves)
    if still <= filters.max_frozen_share or middle < 2 + ACROSS_PX:
        return None
    columns = frames[len(frames) // 2, :, :, middle - 2 - ACROSS_PX : middle + 2 + ACROSS_PX : ACROSS_PX].short()
    before, across, behind = (columns[..., 1:] - columns[..., :-1]).abs().amax(dim=0).unbind(-1)
    return float(((across > filters.pixel_change) & (across > torch.maximum(before, behind))).float().mean())


def blur(picture: UInt8[np.ndarray, "h w"]) -> float:
    """How little a picture loses when it is blurred, in [0, 1], whatever its contrast (Crete et al. 2007, the no-reference
    perceptual blur metric); a picture of one colour has 1."""
    exact = picture.astype(np.float32)
    return max(_blur_along(exact, axis) for axis in (0, 1))


def _blur_along(picture: np.ndarray, axis: int) -> float:
    averaged = cv2.blur(picture, (1, BLUR_PX) if axis == 0 else (BLUR_PX, 1))
    steps, left = (np.abs(np.diff(image, axis=axis)) for image in (picture, averaged))
    total = float(steps.sum())
    return 1 - float(np.maximum(0, steps - left).sum()) / total if total else 1.0
