"""A folder of video files in (any depth), clips with words out; what is of no use is named, not skipped."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange

from lapa.files import quick_hash, value_hash
from video_data.clip import Clip, clip_key
from video_data.decode import Cutting
from video_data.decoder import shared_decoder
from video_data.header import UnusableVideo
from video_data.sources.files import files_under, inside
from video_data.sources.sequence import check_fit
from video_data.sources.states import States, read_states
from video_data.sources.words import Words, read_manifest_rows, words_of

BESIDE = (".txt", ".json", ".jsonl", ".parquet")  # files beside videos that change what a clip says


class Video(NamedTuple):
    """A file of the folder, or one that only the manifest knows."""

    path: str  # relative to the folder, with "/"
    row: dict[str, Any]  # its line of manifest.jsonl, {} without one

    def __str__(self) -> str:
        return self.path


class FolderSource:
    """Clips of every video under `folder`. Words: see `sources.words`. With `state`, the LeRobot columns of a parquet
    beside a video (`actions` in its manifest row, or the same name) ride along as the array "state", for probes only.
    """

    def __init__(self, *, folder: str | None, extensions: list[str], cutting: Cutting, state: bool, timeout_s: float):
        if folder is None:
            raise ValueError("source=folder needs videos=FOLDER (source=simulated needs none)")
        self.folder, self.extensions, self.cutting = Path(folder).expanduser(), extensions, check_fit(cutting)
        self.state, self.timeout_s = state, timeout_s

    def items(self) -> list[Video]:
        """All videos in order of their paths; ValueError when there is none."""
        if not self.folder.is_dir():
            raise ValueError(f"no folder {self.folder}")
        rows = read_manifest_rows(self.folder)
        there = set(self._files(self.extensions))
        if not there:
            raise ValueError(f"no videos in {self.folder}: looked for {', '.join(self.extensions)} at any depth")
        return [Video(path, rows.get(path, {})) for path in sorted(there | rows.keys())]

    def contents(self) -> str:
        """A hash of what lies in the folder, wherever the folder lies: new files make a new result."""
        files = self._files((*self.extensions, *BESIDE))
        return value_hash({path: quick_hash(self.folder / path) for path in files})

    def read(self, video: Video) -> Iterator[Clip]:
        """The clips of one video in order; UnusableVideo with the reason."""
        path = self.folder / video.path
        if str(path) != str(path).encode(errors="replace").decode():  # decord takes UTF-8 only
            raise UnusableVideo("has a name that is not UTF-8: rename it")
        if not os.path.isfile(path):  # unlike Path's it takes any name
            raise UnusableVideo("is not there: a broken link, or only in manifest.jsonl")
        try:
            words = words_of(path, video.row)
        except ValueError as error:
            raise UnusableVideo(f"has unreadable words: {error}") from error
        states = self._states(path, video.row)
        for clip in video_clips(path, video.path, words, self.cutting, self.timeout_s):
            instants_s = clip.start_s + np.arange(len(clip.frames)) / clip.fps
            yield clip._replace(arrays={"state": states.at(instants_s)}) if states else clip

    def _files(self, kinds: Sequence[str]) -> Iterator[str]:
        return (path for path in files_under(self.folder) if PurePosixPath(path).suffix.lower() in kinds)

    def _states(self, path: Path, row: dict[str, Any]) -> States | None:
        if not self.state:
            return None
        try:
            beside = self.folder / inside(str(row["actions"])) if row.get("actions") else path.with_suffix(".parquet")
        except ValueError as error:
            raise UnusableVideo(str(error)) from error
        return read_states(beside) if os.path.isfile(beside) else None


def video_clips(path: Path, name: str, words: Words, cutting: Cutting, timeout_s: float) -> Iterator[Clip]:
    """The clips of a video file in order, under the name `name`; UnusableVideo with the reason."""
    for number, piece in enumerate(shared_decoder(timeout_s).read(path, cutting)):
        yield Clip(
            key=clip_key(name, number),
            frames=rearrange(torch.from_numpy(piece.frames), "t h w c -> t c h w").contiguous(),
            fps=cutting.fps,
            text=words.text,
            source=name,
            embodiment=words.embodiment,
            start_s=piece.start_s,
            arrays={},
        )
