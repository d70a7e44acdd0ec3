"""A video file in, pieces of a few seconds at one size and frame rate out, or `UnusableVideo` with the reason.

Which library decodes is said in `openers`; a process of its own, that may die of it, in `decoder`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from video_data.header import Header, UnusableVideo, read_header
from video_data.openers import DAMAGE, Show, first_line, open_video
from video_data.resample import Picture, Square, even_cuts, nearest_frames

MISSING_SHARE = 0.05  # containers round what they promise; a file that lacks more than this was cut off
MIN_SIDE_PX = 8  # thinner pictures are streaks: H.264's smallest block has 4


class Cutting(NamedTuple):
    """How a video becomes pieces."""

    fps: float  # [Hz] of the pieces
    image_px: int  # side of the square pieces
    fit: str  # "crop" or "pad" to a square
    max_clip_s: float  # [s]; a longer video is cut evenly
    min_source_fps: float  # [Hz]; a slower video is a slide show
    decoder: str  # one of `openers.OPENERS`
    memory_gb: float  # [GB] that decoding one video may take


class Piece(NamedTuple):
    """A few seconds of a video."""

    start_s: float  # [s] after the video's first frame
    frames: UInt8[np.ndarray, "t h w 3"]


def read_pieces(path: Path, cutting: Cutting) -> Iterator[Piece]:
    """The whole video at `cutting.fps`, in pieces, in order. UnusableVideo when it is not whole or not a video."""
    header = read_header(path)
    if min(header.size) < MIN_SIDE_PX:
        raise UnusableVideo(f"is {header.size[0]} × {header.size[1]} px: too thin for a picture")
    times_s, shows = open_video(path, header, cutting.decoder, Square(cutting.fit, cutting.image_px))
    check_times(times_s, header, cutting.min_source_fps)
    wanted = nearest_frames(times_s, cutting.fps)
    pictures = _pictures(shows, times_s, wanted)
    for start, end in even_cuts(len(wanted), max(2, round(cutting.max_clip_s * cutting.fps))):
        yield Piece(start / cutting.fps, np.stack([next(pictures) for _ in range(start, end)]))


def check_times(times_s: Float[np.ndarray, "n"], header: Header, min_source_fps: float) -> None:
    """UnusableVideo for a video of one frame, without usable time stamps, cut off, or slower than a video is."""
    count, span_s = len(times_s), float(times_s[-1] - times_s[0]) if len(times_s) else 0.0
    lacks = header.frames * (1 - MISSING_SHARE) - 1 > count
    if lacks and (header.duration_s <= 0 or count < 2):
        raise UnusableVideo(f"is cut off: holds {count} of {header.frames} frames")
    if count < 2:
        raise UnusableVideo("has one frame: a picture, not a video" if count else "has no frames")
    if not np.isfinite(times_s).all() or (np.diff(times_s) < 0).any() or span_s <= 0:
        raise UnusableVideo("has no usable time stamps; convert it to mp4")
    rate = (count - 1) / span_s
    there_s = span_s + 1 / rate
    if there_s < header.duration_s * (1 - MISSING_SHARE) - 2 / rate:  # which an edit list shortens, unlike `frames`
        raise UnusableVideo(f"is cut off: holds {there_s:.1f} s of {header.duration_s:.1f} s")
    if rate < min_source_fps:
        raise UnusableVideo(f"shows {rate:.2g} frames a second, min_source_fps is {min_source_fps:g}: a slide show")


def _pictures(shows: Iterator[Show], times_s: np.ndarray, wanted: np.ndarray) -> Iterator[Picture]:
    """The small picture of each wanted frame; wanted numbers rise, and one that is repeated is converted once."""
    reached, picture = -1, np.zeros(0, dtype=np.uint8)
    for number in wanted:
        if number > reached:
            where = f"after {times_s[number] - times_s[0]:.1f} s of {times_s[-1] - times_s[0]:.1f} s"
            picture = _forward(shows, number - reached, where)
            reached = number
        yield picture


def _forward(shows: Iterator[Show], steps: int, where: str) -> Picture:
    """The frame `steps` further on; one at a time, as several decoded 4K frames would fill the memory."""
    show = None
    try:
        for _ in range(steps):
            show = next(shows, None)
        if show is None:
            raise UnusableVideo(f"ends {where}: cut off or damaged")
        return show()
    except DAMAGE as error:
        raise UnusableVideo(f"is damaged {where} ({first_line(error)})") from error
