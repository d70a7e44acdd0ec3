"""Our own clips: frames in, short closed-GOP H.264 mp4 bytes out, back, and joined; how many frames a gap in seconds is."""

import io
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8
from torch import Tensor

# crf 18 keeps a 64 px block's colour within 2 of 255. One thread and no macroblock tree: with the tree, about one
# encoding in thirty of the same frames differed by some bytes.
X264_OPTIONS = {"crf": "18", "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0:open-gop=0:scenecut=0"}
REORDERED = 2  # frames by which x264 decodes ahead of showing, with these options
GAP_SLACK = 0.2  # a gap may be this share off what was asked: clips have whole frames


def encode_mp4(frames: UInt8[Tensor, "t 3 h w"], *, fps: float) -> bytes:
    """H.264 (yuv420p, closed GOP) in mp4. `h` and `w` must be even: chroma is kept at half resolution."""
    if frames.ndim != 4 or frames.shape[1] != 3 or frames.shape[2] % 2 or frames.shape[3] % 2 or len(frames) == 0:
        raise ValueError(f"frames must be [t>0, 3, even h, even w], got {tuple(frames.shape)}")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=X264_OPTIONS)
        stream.height, stream.width, stream.pix_fmt = frames.shape[2], frames.shape[3], "yuv420p"
        for picture in frames.permute(0, 2, 3, 1).contiguous().numpy():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()


def decode_mp4(data: bytes) -> UInt8[Tensor, "t 3 h w"]:
    """All frames of one of our clips, in sequence and on one thread.

    PyAV, not decord: as fast for clips this small, and decord 0.6.0 fails on widths of 16, 24 and 48 px.
    """
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        to_rgb = VideoReformatter()  # one for all frames: a frame's own starts a thread a core
        frames = np.stack(
            [to_rgb.reformat(frame, format="rgb24", threads=1).to_ndarray() for frame in container.decode(stream)]
        )
    return torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous()


def join_mp4(clips: Sequence[bytes], *, fps: float) -> bytes:
    """Our clips of one size one after another in one mp4, frame k at k / fps [s]; nothing is encoded anew."""
    buffer, rate, first = io.BytesIO(), Fraction(fps).limit_denominator(1001), 0
    with av.open(buffer, "w", format="mp4") as joined, av.open(io.BytesIO(clips[0]), "r") as model:
        stream = joined.add_stream_from_template(model.streams.video[0])
        for clip in clips:
            with av.open(io.BytesIO(clip), "r") as container:
                start = first
                for packet in container.demux(container.streams.video[0]):
                    if packet.pts is not None:  # the last one is empty: it only says that there are no more
                        frame = 1 / rate / packet.time_base
                        packet.pts += round(start * frame)
                        packet.dts = round((first - REORDERED) * frame)  # clips' own would overlap where one is short
                        packet.stream = stream
                        joined.mux(packet)
                        first += 1
    return buffer.getvalue()


def gap_frames(gap_s: float, fps: float) -> int:
    """How many frames apart two frames `gap_s` [s] apart are at `fps` [Hz]; ValueError when no whole number comes near."""
    gap = round(gap_s * fps)
    if gap < 1 or abs(gap / fps - gap_s) > GAP_SLACK * gap_s:
        raise ValueError(
            f"frames {gap_s:g} s apart, which is {gap_s * fps:.2f} frames at {fps:g} Hz, are not to be had: "
            f"choose a multiple of {1 / fps:g} s, or clips of another rate"
        )
    return gap


def gap_in(manifest: dict[str, Any], gap_s: float) -> int:
    """`gap_frames` in clips of this manifest; ValueError when some of them are too short for it."""
    gap = gap_frames(gap_s, manifest["fps"])
    if math.ceil(manifest.get("min_clip_s", gap_s + 1) * manifest["fps"]) <= gap:
        raise ValueError(
            f"gap_s={gap_s:g} needs longer clips than {manifest['min_clip_s']} s: build with larger filters.min_clip_s"
        )
    return gap
