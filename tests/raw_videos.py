"""Videos of every good and bad kind, by PyAV: a red block whose place tells the time, so that frames can be dated."""

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

BLOCK = 24  # px; moves from the left edge to the right one during the video
TURN_90 = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)  # display matrix of mp4, fixed point: a quarter turn


def write_video(
    path: Path, *, times_ms: Sequence[int], size: tuple[int, int] = (96, 128), codec: str = "libx264",
    moves: bool = True, audio: bool = False, options: dict[str, str] | None = None, faststart: bool = False,
    streamed_as: str | None = None, title: str = "",
) -> Path:  # fmt: skip
    """A video with a frame at each of `times_ms`; `size` is (height, width); a streamed one never learns its length."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = {"movflags": "faststart"} if faststart else {}
    with (
        open(path, "wb") as file,
        av.open(_Pipe(file) if streamed_as else str(path), "w", format=streamed_as, options=flags) as container,
    ):
        container.metadata["title"] = title
        stream = container.add_stream(codec, rate=30, options=options or {})
        stream.height, stream.width = size
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 100 if codec == "gif" else 30 if codec == "mpeg4" else 1000)
        sound = container.add_stream("aac", rate=16000) if audio else None
        for time_ms in times_ms:
            container.mux(stream.encode(_frame(time_ms, times_ms[-1] if moves else 0, size, stream)))
        container.mux(stream.encode())
        if sound:
            _silence(container, sound, seconds=times_ms[-1] / 1000)
    return path


def trimmed(source: Path, target: Path, *, start_s: float, rebased: bool) -> Path:
    """What `ffmpeg -ss START -c copy` makes: all packets from the key frame before, told to be shown from `start_s` on.

    Not rebased: with their old time stamps, so that the film begins late.
    """
    options = {"avoid_negative_ts": "disabled"}
    with av.open(str(source)) as film, av.open(str(target), "w", options=options) as container:
        stream = film.streams.video[0]
        copy, shift = container.add_stream_from_template(stream), round(start_s / stream.time_base) if rebased else 0
        film.seek(round(start_s / stream.time_base), stream=stream)
        for packet in film.demux(stream):
            if packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, copy
                container.mux(packet)
    return target


class _Pipe:
    """A file that can only be appended to, as in a recording over a network."""

    def __init__(self, file):
        self.write = file.write


def _frame(time_ms: int, end_ms: int, size: tuple[int, int], stream) -> av.VideoFrame:
    height, width = size
    picture = np.full((height, width, 3), 60, dtype=np.uint8)
    left = round((width - BLOCK) * time_ms / end_ms) if end_ms else 0
    picture[(height - BLOCK) // 2 : (height + BLOCK) // 2, left : left + BLOCK] = (250, 40, 40)
    cv2.rectangle(picture, (0, 0), (width - 1, height - 1), (30, 90, 60), 2)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=stream.pix_fmt)
    frame.time_base = stream.codec_context.time_base
    frame.pts = round(time_ms / 1000 / frame.time_base)
    return frame


def _silence(container, stream, *, seconds: float) -> None:
    for start in range(0, int(seconds * 16000), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 16000, start
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def steady(frames: int, fps: float = 30) -> list[int]:
    """Time stamps [ms] of a constant frame rate."""
    return [round(1000 * i / fps) for i in range(frames)]


def block_left(picture: np.ndarray) -> float:
    """Where the block's left edge is in an RGB picture [h, w, 3], as a share of its way from 0 to 1."""
    red = (picture[..., 0].astype(int) - picture[..., 1]).clip(0).mean(axis=0)
    side = BLOCK / 96 * picture.shape[1]
    centre = (red * np.arange(len(red))).sum() / red.sum()
    return (centre + 0.5 - side / 2) / (picture.shape[1] - side)


def cut_short(source: Path, target: Path, share: float = 0.6) -> Path:
    """A download that broke off."""
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


def turned(source: Path, target: Path) -> Path:
    """The same pixels with a phone's note to show them turned by 90°."""
    data = bytearray(source.read_bytes())
    at = data.index(b"tkhd") + 44  # type, version, times, id, layer, volume stand before the matrix
    data[at : at + 36] = struct.pack(">9i", *TURN_90)
    target.write_bytes(data)
    return target


def no_pictures(path: Path, *, sound: bool) -> Path:
    """A video file without a frame: an empty video stream, or only an audio stream."""
    with av.open(str(path), "w") as container:
        if sound:
            _silence(container, container.add_stream("aac", rate=16000), seconds=0.5)
        else:
            stream = container.add_stream("libx264", rate=30)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
            container.start_encoding()
    return path
