"""Folders of numbered images in, clips out: a film a folder, in natural order, cut where numbers are missing."""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from lapa.files import value_hash
from video_data.clip import Clip, Fault
from video_data.decode import Cutting
from video_data.header import UnusableVideo
from video_data.sources.files import files_under
from video_data.sources.folder import BESIDE
from video_data.sources.sequence import Steps, apart, check_fit, clips_of, cut_where, read_picture
from video_data.sources.words import read_manifest_rows, words_of


class Film(NamedTuple):
    """A folder of images, or one that only the manifest knows."""

    path: str  # relative to the source's folder, with "/"; "." is that folder itself
    row: dict[str, Any]  # its line of manifest.jsonl, {} without one

    def __str__(self) -> str:
        return self.path


class FramesSource:
    """Clips of every folder under `folder` that holds images, taken at `images_per_s`. Words: see `sources.words`."""

    def __init__(
        self, *, folder: str | None, extensions: list[str], images_per_s: float, max_gap_s: float, timeout_s: float,
        cutting: Cutting,
    ):  # fmt: skip
        if folder is None or not images_per_s > 0:
            raise ValueError("source=frames needs videos=FOLDER and source.images_per_s above 0")
        self.folder, self.extensions, self.cutting = Path(folder).expanduser(), tuple(extensions), check_fit(cutting)
        self.images_per_s, self.max_gap_s, self.timeout_s = images_per_s, max_gap_s, timeout_s

    def items(self) -> list[Film]:
        """All folders with images in order of their paths; ValueError when there is none."""
        if not self.folder.is_dir():
            raise ValueError(f"no folder {self.folder}")
        rows = read_manifest_rows(self.folder)
        there = {str(PurePosixPath(path).parent) for path in self._files(self.extensions)}
        if not there:
            raise ValueError(f"no images in {self.folder}: looked for {', '.join(self.extensions)} at any depth")
        return [Film(path, rows.get(path, {})) for path in sorted(there | rows.keys())]

    def contents(self) -> str:
        """A hash of the images' names and sizes and of the words beside them, wherever the folder lies."""
        files = self._files((*self.extensions, *BESIDE))
        return value_hash({path: _mark(self.folder / path) for path in files})

    def read(self, film: Film) -> Iterator[Clip | Fault]:
        """The clips of one folder in order; UnusableVideo with the reason."""
        return apart(self._clips, film, cutting=self.cutting, timeout_s=self.timeout_s)

    def _clips(self, film: Film) -> Iterator[Clip | Fault]:
        folder = self.folder / film.path
        there = folder.iterdir() if os.path.isdir(folder) else ()
        files = [path for path in there if _is(path, self.extensions)]
        if not files:
            raise UnusableVideo("holds no images: it is not there, or only in manifest.jsonl")
        files.sort(key=natural)
        times_s = image_times(files, self.images_per_s)
        own = film.path == "."  # images in the source's folder itself: what lies around that does not count
        try:
            named = folder / "words" if own else folder.with_name(f"{folder.name}.film")  # a name may hold dots
            words = words_of(named, film.row)
        except ValueError as error:
            raise UnusableVideo(f"has unreadable words: {error}") from error
        name = "./images" if own else film.path  # a folder "images" beside them is another film
        runs = cut_where(np.diff(times_s) > self.max_gap_s, len(files))
        films = (Steps(name, "", times_s[run], _reader([files[i] for i in run]), *words, arrays={}) for run in runs)
        yield from clips_of(films, self.cutting)

    def _files(self, kinds: tuple[str, ...]) -> Iterator[str]:
        return (path for path in files_under(self.folder) if _is(PurePosixPath(path), kinds))


def _is(path: PurePath, kinds: tuple[str, ...]) -> bool:
    return path.suffix.lower() in kinds and not path.name.startswith(".")


def natural(path: Path) -> tuple[list[str | int], str]:
    """A sort key: `frame_10` comes after `frame_2`; names that differ in case alone have an order too."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name.lower())], path.name


def image_times(files: list[Path], images_per_s: float) -> Float[np.ndarray, "n"]:
    """When each image was taken [s]: by the last number of its name; by its place where names have no rising numbers.

    The usual distance of two numbers is one step, so every tenth frame, or a clock in ns, is as good as 1, 2, 3.
    UnusableVideo when two images have one number: two cameras, or pictures and their depth, in one folder.
    """
    found = [re.findall(r"\d+", path.stem) for path in files]
    numbers = [int(groups[-1]) for groups in found if groups]
    if len(numbers) < len(files) or len(files) < 2:
        return np.arange(len(files)) / images_per_s
    twice = {number: path.name for number, path in zip(numbers, files, strict=True)}
    for number, path in zip(numbers, files, strict=True):
        if twice[number] != path.name:
            raise UnusableVideo(
                f"holds two images of number {number}, {path.name} and {twice[number]}: one film a folder"
            )
    since = np.array([number - numbers[0] for number in numbers], dtype=np.float64)
    steps = np.diff(since)
    return since / np.median(steps) / images_per_s if (steps > 0).all() else np.arange(len(files)) / images_per_s


def _reader(files: list[Path]) -> Any:
    return lambda steps: (read_picture(files[i], files[i].name) for i in steps)


def _mark(path: Path) -> int | str:
    if not os.path.isfile(path):
        return "not there"  # told when the film is read
    return path.read_text(errors="replace") if path.suffix.lower() in BESIDE[:3] else path.stat().st_size
