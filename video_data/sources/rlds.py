"""An RLDS dataset's TFRecords (Open X-Embodiment, Bridge) in; clips of every camera of every episode out, without TensorFlow.

Layout: github.com/google-research/rlds and tensorflow.org/datasets/external_tfrecord: a tf.train.Example an episode, in
which a feature of the steps is one flat list over all of them, named `steps/…`.
"""

import io
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float32

from lapa.files import quick_hash, value_hash
from video_data.clip import Clip, Fault
from video_data.decode import Cutting
from video_data.header import UnusableVideo
from video_data.resample import Picture
from video_data.sources.sequence import Steps, apart, check_fit, clips_of, cut_where, finite, optional, read_picture
from video_data.sources.tfrecord import Span, parse_example, read_record, spans

INFO, FEATURES = "dataset_info.json", "features.json"


class View(NamedTuple):
    """What one camera saw of an episode; without `span` what cannot be found of a file, for `fault`."""

    file: str  # name of the TFRecord
    number: int  # of the record in it
    camera: str
    span: Span | None
    fault: str

    def __str__(self) -> str:
        return f"{self.file}, episode {self.number}, camera {self.camera}" if self.span else self.file


class RldsSource:
    """Clips of `cameras` (names below `steps/observation/`; None: all pictures of three channels and 8 bits) of a split.

    arrays: {name in the clip: feature below `steps/`}; rows are those of the steps shown.
    """

    def __init__(
        self, *, folder: str | None, split: str, control_hz: float, cameras: list[str] | None, text: list[str],
        embodiment: str, arrays: dict[str, str] | None, timeout_s: float, cutting: Cutting,
    ):  # fmt: skip
        if folder is None or not control_hz > 0:
            raise ValueError("source=rlds needs videos=FOLDER and source.control_hz above 0")
        self.folder, self.split, self.control_hz = Path(folder).expanduser(), split, control_hz
        there = picture_features(_json(self.folder / FEATURES))
        self.cameras = there if cameras is None else cameras
        for camera in self.cameras or ["(any)"]:
            if camera not in there:
                raise ValueError(f"no camera {camera!r} in {self.folder}; there are {there}")
        self.text, self.embodiment, self.arrays, self.cutting = text, embodiment, arrays or {}, check_fit(cutting)
        self.timeout_s = timeout_s

    def items(self) -> list[View]:
        """Every episode by every camera, found by the headers of the records; ValueError when there is no file."""
        optional("google.protobuf.message", extra="rlds")
        lengths = shard_lengths(_json(self.folder / INFO), self.split)
        return [item for number, path in enumerate(self._files()) for item in self._views(path, lengths[number:][:1])]

    def contents(self) -> str:
        """A hash of the descriptions and of the files."""
        told = {name: _json(self.folder / name) for name in (INFO, FEATURES)}
        return value_hash([told, {path.name: quick_hash(path) for path in self._files()}])

    def read(self, view: View) -> Iterator[Clip | Fault]:
        """The clips of one camera, cut where the words change; UnusableVideo with the reason."""
        if view.span is None:
            raise UnusableVideo(view.fault)
        return apart(self._clips, view, view.span, cutting=self.cutting, timeout_s=self.timeout_s)

    def _clips(self, view: View, span: Span) -> Iterator[Clip | Fault]:
        features = parse_example(read_record(self.folder / view.file, span))
        pictures = list(features.get(f"steps/observation/{view.camera}", ()))
        if not pictures:
            raise UnusableVideo("has no pictures")
        texts = self._texts(features, len(pictures))
        arrays = {name: _numbers(features, feature, len(pictures)) for name, feature in self.arrays.items()}
        times_s, source = np.arange(len(pictures)) / self.control_hz, f"{view.file}/{view.number:06d}"
        runs = cut_where(np.array([a != b for a, b in pairwise(texts)]), len(pictures))
        films = (
            Steps(
                source, view.camera, times_s[run], _reader([pictures[i] for i in run]), texts[run[0]], self.embodiment,
                {name: values[run] for name, values in arrays.items()},
            )
            for run in runs
        )  # fmt: skip
        yield from clips_of(films, self.cutting)

    def _files(self) -> list[Path]:
        files = sorted(self.folder.glob(f"*-{self.split}.tfrecord*"))
        if not files:
            raise ValueError(f"no *-{self.split}.tfrecord* in {self.folder}")
        return files

    def _views(self, path: Path, promised: list[int]) -> Iterator[View]:
        number, fault = 0, ""
        try:
            for span in spans(path):
                yield from (View(path.name, number, camera, span, "") for camera in self.cameras)
                number += 1
        except UnusableVideo as error:
            fault = str(error)
        if fault or promised not in ([], [number]):
            yield View(path.name, number, "", None, fault or f"holds {number} episodes, {INFO} says {promised[0]}")

    def _texts(self, features: Mapping[str, Any], count: int) -> list[str]:
        """The words of each step, "" without any."""
        found = (list(features.get(f"steps/{name}", ())) for name in self.text)
        values = next((values for values in found if values), [b""] * count)
        if isinstance(values[0], int):  # a row of bytes each, padded with zeros
            rows = np.asarray(values).reshape(count, -1) if len(values) % count == 0 else np.zeros((0, 1))
            values = [bytes(int(byte) for byte in row if 0 < byte < 256) for row in rows]
        if len(values) != count:
            raise UnusableVideo(f"has words for {len(values)} of {count} steps")
        return [value.decode(errors="replace") for value in values]


def picture_features(tree: Mapping[str, Any]) -> list[str]:
    """Names of the observation's colour pictures in a features.json; ValueError when it describes no steps."""
    try:
        steps = tree["featuresDict"]["features"]["steps"]["sequence"]["feature"]
        named = steps["featuresDict"]["features"]["observation"]["featuresDict"]["features"]
        about = {name: feature["image"] for name, feature in named.items() if "image" in feature}
        sizes = {name: [int(size) for size in image["shape"]["dimensions"]] for name, image in about.items()}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{FEATURES} describes no RLDS steps with an observation: {error}") from error
    return sorted(n for n, size in sizes.items() if size[-1:] == [3] and about[n].get("dtype", "uint8") == "uint8")


def shard_lengths(info: Mapping[str, Any], split: str) -> list[int]:
    """How many records each file of a split holds, [] when a dataset_info.json does not say."""
    splits = {row["name"]: row for row in info.get("splits", [])}
    if splits and split not in splits:
        raise ValueError(f"no split {split!r}; there are {sorted(splits)}")
    return [int(length) for length in splits.get(split, {}).get("shardLengths", [])]


def _numbers(features: Mapping[str, Any], feature: str, count: int) -> Float32[np.ndarray, "n m"]:
    values = features.get(f"steps/{feature}", ())
    if len(values) and isinstance(values[0], bytes):
        raise UnusableVideo(f"has no numbers in {feature}")
    return finite(values, feature, count)


def _reader(pictures: list[bytes]) -> Any:
    def read(steps: np.ndarray) -> Iterator[Picture]:
        return (read_picture(io.BytesIO(pictures[i]), f"of step {i}") for i in steps)

    return read


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"{path.parent} is no RLDS dataset's version folder: {path.name} is missing") from error
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
