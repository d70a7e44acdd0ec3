"""A video file in; what it says of itself (codec, frames, seconds), or `UnusableVideo` when it is none."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av

CLOCK = (3600, 60, 1)  # seconds of "HH:MM:SS.nnn", Matroska's DURATION tag


class UnusableVideo(ValueError):
    """Nothing of a video can be used. The message completes "this file …" and goes into quarantine.jsonl."""


class Header(NamedTuple):
    """What a file promises; 0 where it says nothing."""

    codec: str
    frames: int
    duration_s: float


def read_header(path: Path) -> Header:
    """The header of the first video stream. UnusableVideo when there is none or the file cannot be opened."""
    if path.exists() and path.stat().st_size == 0:
        raise UnusableVideo("is empty (0 bytes)")
    try:
        with av.open(str(path)) as container:
            kinds = sorted({stream.type for stream in container.streams})
            if not kinds:
                raise UnusableVideo("cannot be opened (its index is lost): cut off or damaged")
            if "video" not in kinds:
                raise UnusableVideo(f"has no video stream; it holds {', '.join(kinds)}")
            stream = container.streams.video[0]
            return Header(stream.codec_context.codec.canonical_name, stream.frames, _duration_s(stream))
    except av.FFmpegError as error:
        raise UnusableVideo(f"cannot be opened ({error.strerror}): not a video, cut off or damaged") from error


def _duration_s(stream: Any) -> float:
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    clock = stream.metadata.get("DURATION", "").split(":")
    return sum(unit * float(part) for unit, part in zip(CLOCK, clock, strict=True)) if len(clock) == 3 else 0.0


def av_frames(path: Path, *, decode: bool) -> Iterator[tuple[float, Any]]:
    """(time stamp [s], frame) of the first video stream by PyAV; without `decode` packets in place of frames (fast)."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for part in container.decode(stream) if decode else container.demux(stream):
            if part.pts is not None:
                yield float(part.pts * (part.time_base or 0)), part
