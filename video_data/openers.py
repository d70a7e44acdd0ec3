"""A video file in; the time stamps of its frames and the frames in order, small, out: by PyAV, decord or torchcodec.

Frames are read in sequence only: decord's random reads and its `skip_frames` are wrong on open GOPs. Nothing here
imports torch before torchcodec is asked for, so that the process in which it runs starts quickly.
"""

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import decord
import numpy as np
from jaxtyping import Float

from video_data.header import Header, UnusableVideo, av_frames
from video_data.resample import Picture, Square, to_square
from video_data.shrink import Shrinker

DECORD_CONTAINERS = ("mov", "matroska", "avi")  # of 0.6.0: it finds no length in a GIF and fails on MPEG-TS
DAMAGE = (decord.DECORDError, RuntimeError, IndexError, av.FFmpegError)  # what a damaged frame raises in one of them
Show = Callable[[], Picture]  # gives a frame as a small square; called only for frames that are wanted
Opened = tuple[Float[np.ndarray, "n"], Iterator[Show]]


class DecoderMissing(ValueError):
    """The library that was asked for cannot be used on this machine: no video's fault."""


def open_video(path: Path, header: Header, decoder: str, square: Square) -> Opened:
    """Time stamps [s], rising, and frames, by `decoder` of `OPENERS`, or by PyAV what that one cannot open.

    All of them give the same frames, to the rounding of their colours. UnusableVideo when PyAV cannot open it either;
    DecoderMissing names the choices.
    """
    if decoder not in OPENERS:
        raise DecoderMissing(f"no decoder={decoder!r}; there are {', '.join(OPENERS)}")
    if decoder == "decord" and not suits_decord(header):
        return open_av(path, square)
    try:
        return OPENERS[decoder](path, square)
    except UnusableVideo:
        return open_av(path, square)


def suits_decord(header: Header) -> bool:
    """Whether decord can read it; PyAV reads the rest: AV1, GIF, recordings of a browser without a length."""
    says_length = header.frames > 0 or header.duration_s > 0
    return header.container.split(",")[0] in DECORD_CONTAINERS and header.codec != "av1" and says_length


def open_decord(path: Path, square: Square) -> Opened:
    """By decord, on one thread; it converts every frame to RGB, also those that nobody wants."""
    try:
        reader = decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1)
        times_s = reader.get_frame_timestamp(range(len(reader)))[:, 0] if len(reader) else np.zeros(0)
    except (decord.DECORDError, RuntimeError, IndexError) as error:
        raise UnusableVideo(f"is cut off or damaged (decord: {first_line(error)})") from error
    if len(times_s) != len(av_times(path)):
        raise UnusableVideo("shows other frames than it holds: decord does not know edit lists")  # PyAV does
    frames = (reader.next() for _ in range(len(reader)))
    return times_s.astype(np.float64), (partial(_of_decord, frame, square) for frame in frames)


def open_av(path: Path, square: Square) -> Opened:
    """By PyAV, which reads everything that FFmpeg reads."""
    shrink = Shrinker(square)
    return av_times(path), (partial(shrink, frame) for _, frame in av_frames(path, decode=True))


def open_torchcodec(path: Path, square: Square, *, device: str) -> Opened:
    """By torchcodec, on one thread or by a GPU's NVDEC; DecoderMissing names what is not installed."""
    video_decoder = _torchcodec(device)
    try:
        reader = video_decoder(str(path), dimension_order="NHWC", num_ffmpeg_threads=1, device=device)
    except (RuntimeError, ValueError) as error:
        raise UnusableVideo(f"is cut off or damaged (torchcodec: {first_line(error)})") from error
    return av_times(path), (partial(_of_torchcodec, reader, number, square) for number in range(len(reader)))


OPENERS: dict[str, Callable[[Path, Square], Opened]] = {
    "av": open_av,
    "decord": open_decord,
    "torchcodec": partial(open_torchcodec, device="cpu"),
    "nvdec": partial(open_torchcodec, device="cuda"),
}


def av_times(path: Path) -> Float[np.ndarray, "n"]:
    """When each frame is shown [s], in rising order, without decoding one."""
    try:
        times_s = np.array([time_s for time_s, _ in av_frames(path, decode=False)])
    except av.FFmpegError as error:
        raise UnusableVideo(f"is cut off or damaged ({error.strerror})") from error
    return np.sort(times_s)


def _torchcodec(device: str) -> Any:
    try:
        import torch
        from torchcodec.decoders import VideoDecoder
    except (ImportError, RuntimeError) as error:  # RuntimeError: it is installed and finds no FFmpeg
        raise DecoderMissing(
            "decoder=torchcodec needs `pip install 'lapa[torchcodec]'` and FFmpeg 4 to 8 installed on the machine "
            f"({first_line(error)}); or choose decoder=decord"
        ) from error
    if device == "cuda" and not torch.cuda.is_available():
        raise DecoderMissing(
            "decoder=nvdec needs an NVIDIA GPU, and there is none; choose decoder=torchcodec or decord"
        )
    return VideoDecoder


def _of_decord(frame: Any, square: Square) -> Picture:
    return to_square(frame.asnumpy(), square)


def _of_torchcodec(reader: Any, number: int, square: Square) -> Picture:
    return to_square(reader.get_frame_at(number).data.cpu().numpy(), square)


def first_line(error: Exception) -> str:
    """A library's own words without its source lines, addresses and stack."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return re.sub(r"^.*\.cc:\d+: |\(-?\d+ vs\. \d+\) ", "", lines[0])[:120]
