"""An episode of a LeRobotDataset in; its rows (state, action, time, task) and its pictures, one camera at a time, out."""

from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from jaxtyping import Float32, Float64, Int64, UInt8
from PIL import Image, UnidentifiedImageError

from lapa.lerobot import Dataset, Episode
from lapa.parquet import read_table

INDICES = ("timestamp", "frame_index", "task_index")
Picture = UInt8[np.ndarray, "h w 3"]


class BrokenEpisode(ValueError):
    """Nothing of an episode can be used. The message completes "this episode …" and goes into quarantine.jsonl."""


class Rows(NamedTuple):
    """One episode's table, in order; units are the dataset's own."""

    state: Float32[np.ndarray, "t s"]
    action: Float32[np.ndarray, "t d"]
    times_s: Float64[np.ndarray, "t"]  # [s]; how it is counted in the films
    tasks: Int64[np.ndarray, "t"]


class Columns(NamedTuple):
    """Some features of one episode's table, in order."""

    values: dict[str, Float32[np.ndarray, "t n"]]  # by feature, in the dataset's own units
    times_s: Float64[np.ndarray, "t"]  # [s]; how it is counted in the films
    tasks: Int64[np.ndarray, "t"]


def read_rows(dataset: Dataset, episode: Episode, *, state: str, action: str, tolerance_s: float) -> Rows:
    """An episode's rows of two features, `state` and `action`; otherwise as `read_columns`."""
    columns = read_columns(dataset, episode, (state, action), tolerance_s=tolerance_s)
    return Rows(columns.values[state], columns.values[action], columns.times_s, columns.tasks)


def read_columns(dataset: Dataset, episode: Episode, features: tuple[str, ...], *, tolerance_s: float) -> Columns:
    """An episode's `features`; BrokenEpisode when rows are missing, not `length`, not at the dataset's rate, or not finite.

    tolerance_s: by how much two rows may be more or less than 1 / fps apart.
    """
    table = _own_rows(dataset, episode, (*features, *INDICES))
    try:
        columns = {name: _numbers(table[name]) for name in (*features, *INDICES)}
    except (KeyError, ValueError) as error:
        raise BrokenEpisode(f"has an unusable {episode.table}: {str(error).splitlines()[0]}") from error
    times_s, frames, tasks = (columns[name][:, 0] for name in INDICES)
    if (frames != np.arange(len(frames))).any():
        raise BrokenEpisode("has frames missing or out of order")
    if (np.abs(np.diff(times_s.astype(np.float64)) - 1 / dataset.fps) > tolerance_s).any():
        raise BrokenEpisode(f"has time stamps that are not 1/{dataset.fps:g} s apart")
    unknown = set(tasks.tolist()) - dataset.tasks.keys()
    if unknown:
        raise BrokenEpisode(f"does task {min(unknown)}, which the dataset does not name")
    values = {name: _finite(columns[name], dataset, name) for name in features}
    return Columns(values, times_s.astype(np.float64), tasks.astype(np.int64))


def _finite(values: np.ndarray, dataset: Dataset, name: str) -> Float32[np.ndarray, "t s"]:
    size = int(np.prod(dataset.features[name]["shape"]))
    if values.shape[1] != size:
        raise BrokenEpisode(f"has {values.shape[1]} numbers in {name}, the dataset says {size}")
    if not np.isfinite(values).all():
        raise BrokenEpisode(f"has numbers in {name} that are not finite")
    return values.astype(np.float32)


def read_pictures(
    dataset: Dataset, episode: Episode, feature: str, instants_s: Float64[np.ndarray, "n"], *, tolerance_s: float
) -> Iterator[Picture]:
    """What a camera saw at each of the rising `instants_s`, as counted in `Rows.times_s`, at its own size.

    BrokenEpisode when a film is missing or damaged, or shows nothing within `tolerance_s` of an instant.
    """
    if feature in episode.films:
        film = episode.films[feature]
        return read_film(dataset.folder / film.path, film.start_s + instants_s, tolerance_s=tolerance_s)
    return _pictures_in_table(dataset, episode, feature, instants_s, tolerance_s)


def read_film(path: Path, instants_s: Float64[np.ndarray, "n"], *, tolerance_s: float) -> Iterator[Picture]:
    """The frames of a video file shown at rising instants [s]: from the key frame before, in sequence, by PyAV (AV1 too)."""
    if not path.is_file():
        raise BrokenEpisode(f"has no film: {path.name} of {path.parent.name} is not there")
    due = 0
    try:
        for time_s, frame in _frames_from(path, float(instants_s[0])):
            if due < len(instants_s) and time_s >= instants_s[due] - tolerance_s:
                if time_s > instants_s[due] + tolerance_s:
                    break
                yield frame.to_ndarray(format="rgb24", threads=1)  # else it starts a thread a core for each
                due += 1
                if due == len(instants_s):
                    return
    except av.FFmpegError as error:
        raise BrokenEpisode(f"has a damaged {path.name} ({error.strerror})") from error
    raise BrokenEpisode(f"is not in {path.name}: no frame within {tolerance_s:g} s of {instants_s[due]:.3f} s")


def _frames_from(path: Path, start_s: float) -> Iterator[tuple[float, Any]]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        assert stream.time_base is not None
        container.seek(int(start_s / stream.time_base), stream=stream)
        for frame in container.decode(stream):
            if frame.time is not None:
                yield frame.time, frame


def _pictures_in_table(
    dataset: Dataset, episode: Episode, feature: str, instants_s: np.ndarray, tolerance_s: float
) -> Iterator[Picture]:
    table = _own_rows(dataset, episode, ("timestamp", feature))
    times_s = _numbers(table["timestamp"])[:, 0]
    for instant_s in instants_s:
        row = int(np.abs(times_s - instant_s).argmin())
        if abs(times_s[row] - instant_s) > tolerance_s:
            raise BrokenEpisode(f"has no row within {tolerance_s:g} s of {instant_s:.3f} s")
        try:
            yield np.asarray(Image.open(BytesIO(table[feature][row].as_py()["bytes"])).convert("RGB"))
        except (KeyError, TypeError, UnidentifiedImageError, OSError) as error:
            raise BrokenEpisode(f"has an unreadable picture in {feature} at {instant_s:.3f} s") from error


def _own_rows(dataset: Dataset, episode: Episode, columns: tuple[str, ...]) -> Any:
    """The episode's rows of a table that may hold many episodes."""
    table = _table(dataset.folder / episode.table, ("episode_index", *columns))
    own = table.filter(np.asarray(table["episode_index"]) == episode.number)
    if own.num_rows != episode.length or episode.length == 0:
        raise BrokenEpisode(f"has {own.num_rows} rows in {episode.table}, not {episode.length}")
    return own


@lru_cache(maxsize=2)  # v3.0: the next episode lies most likely in the same file
def _table(path: Path, columns: tuple[str, ...]) -> Any:
    try:
        return read_table(path, columns)
    except ValueError as error:
        raise BrokenEpisode(f"has no usable table: {error}") from error


def _numbers(column: Any) -> np.ndarray:
    """[t] or a list a row → [t, n]; ValueError when the lists are not equally long."""
    values = column.to_numpy()
    return np.stack(values) if values.dtype == object else values[:, None]
