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

    container: str  # FFmpeg's name: "mov,mp4,…", "matroska,webm", "avi", "gif"
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
            stream = _video(container)
            codec = stream.codec_context.codec.canonical_name
            return Header(container.format.name, codec, stream.frames, _duration_s(stream))
    except av.FFmpegError as error:
        why = "" if isinstance(error, PermissionError) else ": not a video, cut off or damaged"
        raise UnusableVideo(f"cannot be opened ({error.strerror}){why}") from error


def _video(container: Any) -> Any:
    return container.streams.best("video")  # a cover picture is a video stream too, and not the best


def _duration_s(stream: Any) -> float:
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    clock = stream.metadata.get("DURATION", "").split(":")
    return sum(unit * float(part) for unit, part in zip(CLOCK, clock, strict=True)) if len(clock) == 3 else 0.0


def av_frames(path: Path, *, decode: bool) -> Iterator[tuple[float, Any]]:
    """(time stamp [s], frame) of the first video stream by PyAV; without `decode` packets in place of frames (fast)."""
    with av.open(str(path)) as container:
        stream = _video(container)
        stream.codec_context.thread_count = 1
        parts: Any = container.decode(stream) if decode else container.demux(stream)
        for part in parts:
            if part.pts is not None:
                yield float(part.pts * (part.time_base)), part
