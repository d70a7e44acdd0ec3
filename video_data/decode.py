"""A video file in, pieces of a few seconds at one size and frame rate out, or `UnusableVideo` with the reason.

Frames are read in sequence only: decord's random reads and its `skip_frames` are wrong on open GOPs. Nothing here
imports torch, so that the process in which it runs starts quickly.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import av
import decord
import numpy as np
from jaxtyping import Float, UInt8

from video_data.header import Header, UnusableVideo, av_frames, read_header
from video_data.resample import FITS, Picture, even_cuts, nearest_frames

DECORD_CONTAINERS = ("mov", "matroska", "avi")  # of 0.6.0: it finds no length in a GIF and fails on MPEG-TS
MISSING_SHARE = 0.05  # containers round what they promise; a file that lacks more than this was cut off
Show = Callable[[], Picture]  # converts a decoded frame to RGB; called only for frames that are wanted


class Cutting(NamedTuple):
    """How a video becomes pieces."""

    fps: float  # [Hz] of the pieces
    image_px: int  # side of the square pieces
    fit: str  # "crop" or "pad" to a square
    max_clip_s: float  # [s]; a longer video is cut evenly
    min_source_fps: float  # [Hz]; a slower video is a slide show


class Piece(NamedTuple):
    """A few seconds of a video."""

    start_s: float  # [s] after the video's first frame
    frames: UInt8[np.ndarray, "t h w 3"]


def read_pieces(path: Path, cutting: Cutting) -> Iterator[Piece]:
    """The whole video at `cutting.fps`, in pieces, in order. UnusableVideo when it is not whole or not a video."""
    header = read_header(path)
    times_s, shows = (_open_decord if suits_decord(header) else _open_av)(path)
    check_times(times_s, header, cutting.min_source_fps)
    wanted = nearest_frames(times_s, cutting.fps)
    pictures = _pictures(shows, times_s, wanted, cutting)
    for start, end in even_cuts(len(wanted), max(2, round(cutting.max_clip_s * cutting.fps))):
        yield Piece(start / cutting.fps, np.stack([next(pictures) for _ in range(start, end)]))


def suits_decord(header: Header) -> bool:
    """Whether decord (faster) can read it; PyAV reads the rest: AV1, GIF, recordings of a browser without a length."""
    says_length = header.frames > 0 or header.duration_s > 0
    return header.container.split(",")[0] in DECORD_CONTAINERS and header.codec != "av1" and says_length


def check_times(times_s: Float[np.ndarray, "n"], header: Header, min_source_fps: float) -> None:
    """UnusableVideo for a video of one frame, without usable time stamps, cut off, or slower than a video is."""
    count, span_s = len(times_s), float(times_s[-1] - times_s[0]) if len(times_s) else 0.0
    if count < header.frames * (1 - MISSING_SHARE) - 1:
        raise UnusableVideo(f"is cut off: holds {count} of {header.frames} frames")
    if count < 2:
        raise UnusableVideo("has one frame: a picture, not a video" if count else "has no frames")
    if not np.isfinite(times_s).all() or (np.diff(times_s) < 0).any() or span_s <= 0:
        raise UnusableVideo("has no usable time stamps; convert it to mp4")
    rate = (count - 1) / span_s
    there_s = span_s + 1 / rate
    if there_s < header.duration_s * (1 - MISSING_SHARE) - 2 / rate:
        raise UnusableVideo(f"is cut off: holds {there_s:.1f} s of {header.duration_s:.1f} s")
    if rate < min_source_fps:
        raise UnusableVideo(f"shows {rate:.2g} frames a second, min_source_fps is {min_source_fps:g}: a slide show")


def _pictures(shows: Iterator[Show], times_s: np.ndarray, wanted: np.ndarray, cutting: Cutting) -> Iterator[Picture]:
    """The small picture of each wanted frame; wanted numbers rise, and one that is repeated is converted once."""
    reached, picture = -1, np.zeros(0, dtype=np.uint8)
    for number in wanted:
        if number > reached:
            while reached < number:  # one at a time: several decoded 4K frames would fill the memory
                reached += 1
                show = _next_frame(shows, times_s, reached)
            picture = FITS[cutting.fit](show(), cutting.image_px)
        yield picture


def _next_frame(shows: Iterator[Show], times_s: np.ndarray, number: int) -> Show:
    where = f"after {times_s[number] - times_s[0]:.1f} s of {times_s[-1] - times_s[0]:.1f} s"
    try:
        show = next(shows, None)
    except (decord.DECORDError, RuntimeError, av.FFmpegError) as error:
        raise UnusableVideo(f"is damaged {where}") from error
    if show is None:
        raise UnusableVideo(f"ends {where}: cut off or damaged")
    return show


def _open_decord(path: Path) -> tuple[Float[np.ndarray, "n"], Iterator[Show]]:
    try:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
        times_s = reader.get_frame_timestamp(range(len(reader)))[:, 0] if len(reader) else np.zeros(0)
    except (decord.DECORDError, RuntimeError, IndexError) as error:
        raise UnusableVideo(f"is cut off or damaged (decord: {_first_line(error)})") from error
    return times_s.astype(np.float64), (reader.next().asnumpy for _ in range(len(reader)))


def _first_line(error: Exception) -> str:
    """decord's own words without its source lines, addresses and stack."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"^.*\.cc:\d+: |\(-?\d+ vs\. \d+\) ", "", lines[0])[:120]


def _open_av(path: Path) -> tuple[Float[np.ndarray, "n"], Iterator[Show]]:
    try:
        times_s = np.array([time_s for time_s, _ in av_frames(path, decode=False)])
    except av.FFmpegError as error:
        raise UnusableVideo(f"is cut off or damaged ({error.strerror})") from error
    return np.sort(times_s), (partial(_upright, frame) for _, frame in av_frames(path, decode=True))


def _upright(frame) -> Picture:
    """RGB of a PyAV frame; PyAV leaves the turn that a phone wrote beside the video to us (decord does not)."""
    return np.rot90(frame.to_ndarray(format="rgb24"), k=round(frame.rotation / 90) % 4)
