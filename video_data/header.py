"""A video file in; what it says of itself (codec, frames, seconds), or `UnusableVideo` when it is none."""

import re
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path
from typing import Any, NamedTuple

import av

CLOCK = re.compile(r"(\d+):(\d+):(\d+\.?\d*)")  # Matroska's DURATION tag


class UnusableVideo(ValueError):
    """Nothing of a video can be used. The message completes "this file …" and goes into quarantine.jsonl."""


class Header(NamedTuple):
    """What a file promises; 0 where it says nothing."""

    container: str  # FFmpeg's name: "mov,mp4,…", "matroska,webm", "avi", "gif"
    codec: str
    frames: int
    duration_s: float
    size: tuple[int, int]  # width, height [px]


def read_header(path: Path) -> Header:
    """The header of the first video stream. UnusableVideo when there is none or the file cannot be opened."""
    if path.exists() and path.stat().st_size == 0:
        raise UnusableVideo("is empty (0 bytes)")
    try:
        with _open(path) as container:
            kinds = sorted({stream.type for stream in container.streams})
            if not kinds:
                raise UnusableVideo("cannot be opened (its index is lost): cut off or damaged")
            if "video" not in kinds:
                raise UnusableVideo(f"has no video stream; it holds {', '.join(kinds)}")
            stream = _video(container)
            coder = stream.codec_context if stream else None
            if coder is None:
                raise UnusableVideo("is coded in a way that FFmpeg does not know")
            size = (coder.width, coder.height)
            return Header(container.format.name, coder.codec.canonical_name, stream.frames, _duration_s(stream), size)
    except av.FFmpegError as error:
        why = "" if isinstance(error, PermissionError) else ": not a video, cut off or damaged"
        raise UnusableVideo(f"cannot be opened ({error.strerror}){why}") from error


def _open(path: Path) -> Any:
    return av.open(str(path), metadata_errors="replace")  # titles are often not UTF-8; nobody reads them here


def _video(container: Any) -> Any:
    return container.streams.best("video")  # a cover picture is a video stream too, and not the best


def _duration_s(stream: Any) -> float:
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    clock = CLOCK.fullmatch(stream.metadata.get("DURATION", ""))
    if not clock:
        return 0.0
    begins_s = float((stream.start_time or 0) * stream.time_base)  # the tag says when it ends, not how long it is
    return int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3]) - begins_s


def av_frames(path: Path, *, decode: bool) -> Iterator[tuple[float, Any]]:
    """(time stamp [s], frame) of the first video stream by PyAV; without `decode` packets in place of frames (fast).

    Only packets that become frames: not those before the first key frame, nor those that the file says are cut away (an
    mp4 that was trimmed without encoding it again has such an edit list).
    """
    with _open(path) as container:
        stream = _video(container)
        stream.codec_context.thread_count = 1
        parts: Any = container.decode(stream) if decode else _shown(container.demux(stream))
        for part in parts:
            if part.pts is not None:
                yield float(part.pts * part.time_base), part


def _shown(packets: Iterator[Any]) -> Iterator[Any]:
    from_key = dropwhile(lambda packet: not packet.is_keyframe, packets)
    return (packet for packet in from_key if not packet.is_discard)
