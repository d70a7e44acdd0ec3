"""A LeRobotDataset (v2.x or v3.0) on disk in; what it holds and where each of its episodes lies out.

Layouts: huggingface.co/docs/lerobot/lerobot-dataset-v3. v2.x: a table and films an episode; v3.0: many episodes in each.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from lapa.files import file_hash, quick_hash, value_hash
from lapa.parquet import read_table

INFO, TASKS_V2, EPISODES_V2, TASKS_V3 = "info.json", "tasks.jsonl", "episodes.jsonl", "tasks.parquet"
PICTURES = ("video", "image")  # dtypes of a camera's feature: a film beside the table, or pictures in it
VERSIONS = ("v2.0", "v2.1", "v3.0")


class Film(NamedTuple):
    """Where an episode's first frame lies."""

    path: str  # of the video file, inside the dataset
    start_s: float  # [s] in the file; 0 where the episode has a file of its own


class Episode(NamedTuple):
    """Where an episode lies."""

    number: int
    length: int  # rows
    table: str  # path of the parquet file, inside the dataset
    films: dict[str, Film]  # by feature; none where pictures lie in the table


class Dataset(NamedTuple):
    """What is true of all episodes."""

    folder: Path
    fps: float  # [Hz]
    robot: str  # "" when nobody said
    tasks: dict[int, str]
    features: dict[str, dict[str, Any]]  # dtype, shape, names
    cameras: dict[str, str]  # short name → feature


def open_dataset(folder: Path) -> tuple[Dataset, list[Episode]]:
    """Read `meta/`; ValueError names what is missing or of a version that is not known."""
    meta = Path(folder) / "meta"
    info = _json(meta / INFO)
    try:
        version, features = str(info["codebase_version"]), dict(info["features"])
        if version not in VERSIONS:
            raise ValueError(f"{folder} is of LeRobot's version {version}; read are {', '.join(VERSIONS)}")
        fps, shapes = float(info["fps"]), [about["shape"][0] for about in features.values()]
        if not fps > 0 or not all(isinstance(size, int) for size in shapes):
            raise ValueError(f"{meta / INFO} has no rate, or a feature without a shape")
        cameras = {_short(name): name for name, about in features.items() if about["dtype"] in PICTURES}
        films = [name for name, about in features.items() if about["dtype"] == "video"]
        old = version != "v3.0"
        tasks = _tasks_v2(meta) if old else _tasks_v3(meta)
        rows = _jsonl(meta / EPISODES_V2) if old else _episodes_v3(meta, films)
        place = _place_v2 if old else _place_v3
        episodes = [place(info, films, row) for row in rows]
        about = Dataset(Path(folder), fps, info.get("robot_type") or "", tasks, features, cameras)
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"{meta} is no LeRobotDataset's: {type(error).__name__} {error}") from error
    episodes.sort(key=lambda episode: episode.number)
    if len({episode.number for episode in episodes}) < len(episodes):
        raise ValueError(f"{meta}: an episode is named twice")
    return about, episodes


def contents(folder: Path) -> str:
    """A hash of what lies in a dataset, wherever it lies: small files by their bytes, large ones by size, head and tail."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file() and not path.name.startswith("."))
    meta = Path(folder) / "meta"
    seen = {str(p.relative_to(folder)): file_hash(p) if meta in p.parents else quick_hash(p) for p in files}
    return value_hash({name: mark for name, mark in seen.items() if name.split("/")[0] in ("meta", "data", "videos")})


def names_of(dataset: Dataset, feature: str) -> list[str] | None:
    """Names of a feature's numbers, None when the dataset gives none; ValueError when there is no such feature."""
    if feature not in dataset.features:
        raise ValueError(f"no feature {feature!r} in {dataset.folder}; there are {sorted(dataset.features)}")
    about = dataset.features[feature]
    names = list(_flat(about.get("names")))
    return names if len(names) == int(np.prod(about["shape"])) else None


def _place_v2(info: Mapping[str, Any], films: Sequence[str], row: Mapping[str, Any]) -> Episode:
    index = int(row["episode_index"])
    where = {"episode_index": index, "episode_chunk": index // int(info["chunks_size"])}
    paths = {name: Film(_inside(info["video_path"], video_key=name, **where), 0.0) for name in films}
    return Episode(index, int(row["length"]), _inside(info["data_path"], **where), paths)


def _place_v3(info: Mapping[str, Any], films: Sequence[str], row: Mapping[str, Any]) -> Episode:
    def numbers(part: str) -> dict[str, int]:
        return {f"{kind}_index": int(row[f"{part}/{kind}_index"]) for kind in ("chunk", "file")}

    paths = {
        name: Film(
            _inside(info["video_path"], video_key=name, **numbers(f"videos/{name}")),
            float(row[f"videos/{name}/from_timestamp"]),
        )
        for name in films
    }
    table = _inside(info["data_path"], **numbers("data"))
    return Episode(int(row["episode_index"]), int(row["length"]), table, paths)


def _inside(template: str, **values: Any) -> str:
    """A path of the dataset; ValueError when it leads out of it: `info.json` is data from outside."""
    path = PurePosixPath(template.format(**values))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"info.json names a file outside of the dataset: {path}")
    return str(path)


def _short(feature: str) -> str:
    """`observation.images.front` → `front`."""
    return feature.removeprefix("observation.").removeprefix("images.")


def _flat(names: Any) -> Iterator[str]:
    """Names as they come: a list, or lists by kind ("motors", "axes")."""
    if isinstance(names, Mapping):
        names = list(names.values())
    if isinstance(names, list):
        for name in names:
            yield from _flat(name) if isinstance(name, list | Mapping) else [str(name)]


def _tasks_v2(meta: Path) -> dict[int, str]:
    return {int(row["task_index"]): str(row["task"]) for row in _jsonl(meta / TASKS_V2)}


def _tasks_v3(meta: Path) -> dict[int, str]:
    """The words are the row's name: a column called "task", or one without a name of its own."""
    table = _meta_table(meta / TASKS_V3)
    words = next(name for name in table.column_names if name != "task_index")
    return dict(zip(table["task_index"].to_pylist(), map(str, table[words].to_pylist()), strict=True))


def _episodes_v3(meta: Path, films: Sequence[str]) -> list[dict[str, Any]]:
    spots = [f"videos/{name}/{part}" for name in films for part in ("chunk_index", "file_index", "from_timestamp")]
    columns = ["episode_index", "length", "data/chunk_index", "data/file_index", *spots]
    paths = sorted((meta / "episodes").rglob("*.parquet"))
    if not paths:
        raise ValueError(f"no table of episodes in {meta / 'episodes'}")
    return [row for path in paths for row in _meta_table(path, columns).to_pylist()]


def _meta_table(path: Path, columns: list[str] | None = None) -> Any:
    try:
        return read_table(path, columns)
    except ValueError as error:
        raise ValueError(f"{path.parent}: {error}") from error


def _json(path: Path) -> Any:
    return _parsed(_text(path), path)


def _jsonl(path: Path) -> list[dict[str, Any]]:
    return [_parsed(line, path) for line in _text(path).splitlines() if line.strip()]


def _text(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"{path.parent.parent} is no LeRobotDataset: meta/{path.name} is missing")
    return path.read_text()


def _parsed(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
