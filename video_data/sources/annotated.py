"""Videos and a table of segments with words in; clips of each segment out, every video decoded once."""

import os
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import UInt8

from lapa.files import file_hash, quick_hash, value_hash
from video_data.clip import Clip, Fault, clip_key
from video_data.decode import Cutting, Piece
from video_data.decoder import shared_decoder
from video_data.header import UnusableVideo
from video_data.resample import even_cuts
from video_data.sources.segments import Layout, Recording, Segment, read_rows, recordings
from video_data.sources.sequence import check_fit

ROUNDING = 1e-6  # of a frame: 0.7 s × 10 Hz is 7 frames, not 8


class Part(NamedTuple):
    """A segment, or a piece of a long one, in frames of the video at the clips' rate."""

    segment: Segment
    start: int
    end: int


class AnnotatedSource:
    """Clips of the segments of `table`, a file in `folder` or a path. Its other keys: see the yaml and `Layout`."""

    def __init__(
        self, *, folder: str | None, table: str, rows: str | None, video: str, text: str, strip: str | None,
        start: str | None, end: str | None, before_s: float, after_s: float, slack_s: float, max_overlap: float,
        embodiment: str, timeout_s: float, cutting: Cutting,
    ):  # fmt: skip
        if folder is None:
            raise ValueError("a source with a table needs videos=FOLDER")
        self.folder, self.cutting = Path(folder).expanduser(), check_fit(cutting)
        self.table = self.folder / Path(table).expanduser()  # a path that begins with / stays as it is
        self.layout = Layout(rows, video, text, strip, start, end, before_s, after_s)
        self.slack_s, self.max_overlap = slack_s, max_overlap
        self.embodiment, self.timeout_s = embodiment, timeout_s

    def items(self) -> list[Recording]:
        """The videos that the table names; ValueError without a table or rows."""
        mark = file_hash(self.table) if self.table.is_file() else ""
        return list(_recordings(self.table, mark, self.layout, self.max_overlap))

    def contents(self) -> str:
        """A hash of the table and of the videos it names."""
        paths = {recording.path: self.folder / recording.path for recording in self.items()}
        return value_hash([file_hash(self.table), {name: quick_hash(path) for name, path in paths.items()}])

    def read(self, recording: Recording) -> Iterator[Clip | Fault]:
        """Clips of one video's segments as they end, and faults of rows; UnusableVideo when none can be shown."""
        yield from recording.faults
        if not recording.segments:
            return
        path = self.folder / recording.path
        if not os.path.isfile(path):  # unlike Path's it takes any name
            raise UnusableVideo(f"is not there: {len(recording.segments)} rows of {self.table.name} tell of it")
        pieces = shared_decoder(self.timeout_s).read(path, self.cutting)
        for number, part in enumerate(self._parts(recording, pieces)):
            if isinstance(part, Fault):
                yield part
            else:
                yield self._clip(recording, number, *part)

    def _parts(
        self, recording: Recording, pieces: Iterator[Piece]
    ) -> Iterator[Fault | tuple[Segment, int, UInt8[np.ndarray, "t h w 3"]]]:
        """What each segment shows, in order of their ends: its first frame and its frames."""
        fps, total = self.cutting.fps, 0
        whole = [segment for segment in recording.segments if segment.end_s is None]
        waiting = sorted(
            (part for segment in recording.segments if segment.end_s is not None for part in self._cuts(segment)),
            key=lambda part: (part.end, part.start, part.segment.row),
        )
        # The earliest frame that is waited for, from each part on.
        first = [*accumulate((part.start for part in reversed(waiting)), min)][::-1]
        due = 0
        seen: list[tuple[int, UInt8[np.ndarray, "t h w 3"]]] = []  # pieces that a waiting part may show
        for piece in pieces:
            seen.append((total, piece.frames))
            total += len(piece.frames)
            for segment in whole:
                yield segment, total - len(piece.frames), piece.frames
            while due < len(waiting) and waiting[due].end <= total:
                part, due = waiting[due], due + 1
                yield part.segment, part.start, _shown(seen, part.start, part.end)
            oldest = first[due] if due < len(waiting) else total
            seen = [(start, frames) for start, frames in seen if start + len(frames) > oldest]
        late: dict[int, Fault] = {}  # by row: a long segment is told of once
        for part in waiting[due:]:
            end_s = part.end / fps
            if part.start < total and end_s - total / fps <= self.slack_s + 1 / fps:
                yield part.segment, part.start, _shown(seen, part.start, total)
            else:
                reason = f"lasts until {part.segment.end_s:.1f} s; the video ends at {total / fps:.1f} s"
                late[part.segment.row] = Fault(f"{recording.path}, row {part.segment.row}", reason)
        yield from late.values()

    def _cuts(self, segment: Segment) -> list[Part]:
        """A segment in pieces of at most `max_clip_s`; a segment between two frames shows the first one."""
        assert segment.end_s is not None
        fps = self.cutting.fps
        start, end = int(np.ceil(segment.start_s * fps - ROUNDING)), int(np.ceil(segment.end_s * fps - ROUNDING))
        cuts = even_cuts(max(1, end - start), max(2, round(self.cutting.max_clip_s * fps)))
        return [Part(segment, start + a, start + b) for a, b in cuts]

    def _clip(self, recording: Recording, number: int, segment: Segment, start: int, frames: np.ndarray) -> Clip:
        return Clip(
            key=clip_key(recording.path, number),
            frames=rearrange(torch.from_numpy(frames), "t h w c -> t c h w").contiguous(),
            fps=self.cutting.fps,
            text=segment.text,
            source=recording.path,
            embodiment=self.embodiment,
            start_s=start / self.cutting.fps,
            arrays={},
        )


def _shown(seen: list[tuple[int, UInt8[np.ndarray, "t h w 3"]]], start: int, end: int) -> UInt8[np.ndarray, "n h w 3"]:
    """Frames `start` … `end` − 1 out of pieces that follow one another."""
    return np.concatenate([frames[max(0, start - first) : max(0, end - first)] for first, frames in seen])


@lru_cache(maxsize=1)  # a table of millions of rows is read once, and does not travel to every process with its source
def _recordings(table: Path, _mark: str, layout: Layout, max_overlap: float) -> tuple[Recording, ...]:
    return tuple(recordings(read_rows(table, layout.rows), layout, max_overlap=max_overlap))
