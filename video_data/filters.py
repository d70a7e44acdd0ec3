"""A clip in; the reason to drop it out, or None: too short for a pair, or nothing moves."""

from typing import NamedTuple

from jaxtyping import UInt8
from torch import Tensor

from video_data.clip import Clip


class Filters(NamedTuple):
    """What a clip must have to be kept."""

    min_clip_s: float  # [s]; must be longer than any gap that is trained on
    gap_s: float  # [s] between the frames that are compared
    pixel_change: int  # a pixel has changed when a channel moved by more than this, of 255: above noise and compression
    min_moving_share: float  # share of changed pixels, averaged over the clip, below which nothing moves


class Verdict(NamedTuple):
    """Why a clip is dropped (None: it is kept), and what was measured."""

    reason: str | None
    moving_share: float | None  # None: not measured


def judge(clip: Clip, filters: Filters) -> Verdict:
    """Whether `clip` is worth training on."""
    gap = max(1, round(filters.gap_s * clip.fps))
    if len(clip.frames) < filters.min_clip_s * clip.fps or len(clip.frames) <= gap:
        return Verdict("too short", None)
    share = moving_share(clip.frames, gap=gap, pixel_change=filters.pixel_change)
    return Verdict("no motion" if share < filters.min_moving_share else None, round(share, 5))


def moving_share(frames: UInt8[Tensor, "t 3 h w"], *, gap: int, pixel_change: int) -> float:
    """The share of pixels, in [0, 1], that change within `gap` frames; a mean difference would drown a small hand."""
    before, after = frames[:-gap].short(), frames[gap:].short()
    return float(((after - before).abs().amax(dim=1) > pixel_change).float().mean())
