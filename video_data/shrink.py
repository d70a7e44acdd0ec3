"""Decoded frames in; small upright square RGB pictures out, by FFmpeg's own scaler: no large RGB picture is made between."""

from fractions import Fraction
from typing import Any

import numpy as np
from av.filter import Graph

from video_data.resample import Picture, Square, centred, whole_size

# Area averaging with every chroma sample, to within half of 255 of the exact mean, and the same on every processor.
FLAGS = "area+full_chroma_inp+full_chroma_int+accurate_rnd+bitexact"
ANY_CLOCK = Fraction(1, 1000)  # filters want one; nothing here asks for the time


class Shrinker:
    """Shrinks the frames of one video; set up anew only where their size or pixel format changes."""

    def __init__(self, square: Square):
        self.square = square
        self._graph: Any = None
        self._layout: tuple[int, int, str] | None = None

    def __call__(self, frame: Any) -> Picture:
        """`frame` of PyAV, which leaves to us the turn that a phone wrote beside the video. FFmpegError for odd frames."""
        layout = frame.width, frame.height, frame.format.name
        if layout != self._layout:
            self._graph, self._layout = _graph(frame, self.square), layout
        self._graph.push(frame)
        small = self._graph.pull().to_ndarray()
        return np.rot90(centred(small, self.square.image_px), k=round(frame.rotation / 90) % 4)


def _graph(frame: Any, square: Square) -> Any:
    side, (height, width) = min(frame.height, frame.width), (square.image_px, square.image_px)
    if square.fit == "pad":
        height, width = whole_size(frame.height, frame.width, square.image_px)
    graph = Graph()
    graph.threads = 1
    parts = [graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=ANY_CLOCK)]
    if square.fit == "crop":
        parts.append(graph.add("crop", f"{side}:{side}"))
    parts += [graph.add("scale", f"{width}:{height}:flags={FLAGS}"), graph.add("format", "rgb24")]
    graph.link_nodes(*parts, graph.add("buffersink")).configure()
    return graph
