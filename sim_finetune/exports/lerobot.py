"""Shards of demonstrations in, a LeRobotDataset v3.0 out: parquet tables, one film a camera, statistics.

Layout: huggingface.co/docs/lerobot/lerobot-dataset-v3. Actions are what the expert wanted; films are not encoded anew.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from jaxtyping import UInt8

from lapa.files import atomic_path, write_json
from lapa.parquet import write_table
from lapa.shards import ShardIndex
from lapa.video import decode_mp4, join_mp4

FILE = "chunk-{chunk_index:03d}/file-{file_index:03d}"
ONLY = FILE.format(chunk_index=0, file_index=0)  # everything is one chunk of one file
CHUNK, DATA_MB, VIDEO_MB = 1000, 100, 200  # that a reader may expect in a chunk and a file at most
INDICES = ("frame_index", "episode_index", "index", "task_index")


def write(demos: ShardIndex, out: Path, facts: Mapping[str, Any]) -> None:
    """Fill `out`; the order of the episodes is that of the shards."""
    texts = list(dict.fromkeys(demos[i]["json"]["text"] for i in range(len(demos))))
    frames, episodes = _tables(demos, texts, facts)
    _write_table(out / "data" / f"{ONLY}.parquet", frames)
    _write_table(out / "meta" / "episodes" / f"{ONLY}.parquet", episodes)
    _write_table(out / "meta" / "tasks.parquet", {"task_index": list(range(len(texts))), "task": texts}, index="task")
    stats = {name: _stats(np.array(column)) for name, column in frames.items()}
    for camera in facts["cameras"]:
        clips = [demos[i][_file(facts, camera)] for i in range(len(demos))]
        path = out / "videos" / _key(camera) / f"{ONLY}.mp4"
        with atomic_path(path) as partial:
            partial.write_bytes(join_mp4(clips, fps=facts["fps"]))
        stats[_key(camera)] = _picture_stats(decode_mp4(clip).numpy() for clip in clips)
    write_json(out / "meta" / "stats.json", stats)
    write_json(out / "meta" / "info.json", _info(facts, len(demos), len(frames["index"]), len(texts)))


def _key(camera: str) -> str:
    return f"observation.images.{camera}"


def _file(facts: Mapping[str, Any], camera: str) -> str:
    """A demonstration's name for a camera's film: the first one has none of its own."""
    return "mp4" if camera == facts["cameras"][0] else f"{camera}.mp4"


def _tables(demos: ShardIndex, texts: list[str], facts: Mapping[str, Any]) -> tuple[dict[str, list], dict[str, list]]:
    """Columns of the table of frames, and of the table of episodes."""
    frames: dict[str, list] = {name: [] for name in ("observation.state", "action", "timestamp", *INDICES)}
    episodes: dict[str, list] = {}
    for number in range(len(demos)):
        demo, first = demos[number], len(frames["index"])
        length, task = len(demo["state.npy"]), texts.index(demo["json"]["text"])
        frames["observation.state"] += demo["state.npy"].tolist()
        frames["action"] += demo["action.npy"].tolist()
        frames["timestamp"] += (np.arange(length) / facts["fps"]).astype(np.float32).tolist()
        indices = (range(length), [number] * length, range(first, first + length), [task] * length)
        for name, values in zip(INDICES, indices, strict=True):
            frames[name] += values
        for name, value in _episode(number, demo, first, length, facts).items():
            episodes.setdefault(name, []).append(value)
    return frames, episodes


def _episode(number: int, demo: Mapping[str, Any], first: int, length: int, facts: Mapping[str, Any]) -> dict[str, Any]:
    row = {"episode_index": number, "tasks": [demo["json"]["text"]], "length": length}
    row |= {"dataset_from_index": first, "dataset_to_index": first + length}
    row |= {f"{where}/{part}_index": 0 for where in ("data", "meta/episodes") for part in ("chunk", "file")}
    for camera in facts["cameras"]:
        span = {"chunk_index": 0, "file_index": 0, "from_timestamp": first / facts["fps"]}
        span["to_timestamp"] = (first + length) / facts["fps"]
        row |= {f"videos/{_key(camera)}/{name}": value for name, value in span.items()}
    return row


def _write_table(path: Path, columns: Mapping[str, list], index: str | None = None) -> None:
    """One parquet file. index: the column that pandas, which readers use, shall take as the row's name."""
    small = {"observation.state": pyarrow.list_(pyarrow.float32()), "action": pyarrow.list_(pyarrow.float32())}
    small["timestamp"] = pyarrow.float32()
    table = pyarrow.table({name: pyarrow.array(values, small.get(name)) for name, values in columns.items()})
    if index is not None:
        about = {"index_columns": [index], "column_indexes": [], "columns": [], "pandas_version": "2.0.0"}
        table = table.replace_schema_metadata({"pandas": json.dumps(about)})
    write_table(path, table)


def _stats(values: np.ndarray) -> dict[str, list]:
    rows = values.reshape(len(values), -1).astype(np.float64)
    found = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    return {name: column.tolist() for name, column in found.items()} | {"count": [len(rows)]}


def _picture_stats(clips: Iterable[UInt8[np.ndarray, "t 3 h w"]]) -> dict[str, list]:
    """Per colour, of values in [0, 1], in the shape (3, 1, 1); from how often each of the 256 levels occurs."""
    counts, levels, frames = np.zeros((3, 256)), np.arange(256) / 255, 0
    for clip in clips:
        counts += [np.bincount(clip[:, colour].ravel(), minlength=256) for colour in range(3)]
        frames += len(clip)
    shares = counts / counts.sum(axis=1, keepdims=True)
    mean = shares @ levels
    found = {"min": levels[(counts > 0).argmax(axis=1)], "max": levels[255 - (counts > 0)[:, ::-1].argmax(axis=1)]}
    found |= {"mean": mean, "std": np.sqrt(np.maximum(shares @ levels**2 - mean**2, 0))}
    return {name: value.reshape(3, 1, 1).tolist() for name, value in found.items()} | {"count": [frames]}


def _info(facts: Mapping[str, Any], episodes: int, frames: int, tasks: int) -> dict[str, Any]:
    """info.json: what there is, where it lies, and the shape and names of every feature."""
    px = facts["image_px"]
    film = {"video.height": px, "video.width": px, "video.codec": "h264", "video.pix_fmt": "yuv420p"}
    film |= {"video.fps": facts["fps"], "video.channels": 3, "video.is_depth_map": False, "has_audio": False}
    pictures = {"dtype": "video", "shape": [px, px, 3], "names": ["height", "width", "channels"], "info": film}
    features: dict[str, Any] = {_key(camera): pictures for camera in facts["cameras"]}
    for name, parts in (("observation.state", facts["state_names"]), ("action", facts["action_names"])):
        features[name] = {"dtype": "float32", "shape": [len(parts)], "names": list(parts)}
    features["timestamp"] = {"dtype": "float32", "shape": [1], "names": None}
    features |= {name: {"dtype": "int64", "shape": [1], "names": None} for name in INDICES}
    return {
        "codebase_version": "v3.0", "robot_type": facts["embodiment"], "fps": facts["fps"],
        "total_episodes": episodes, "total_frames": frames, "total_tasks": tasks, "splits": {"train": f"0:{episodes}"},
        "chunks_size": CHUNK, "data_files_size_in_mb": DATA_MB, "video_files_size_in_mb": VIDEO_MB,
        "data_path": f"data/{FILE}.parquet", "video_path": f"videos/{{video_key}}/{FILE}.mp4", "features": features,
    }  # fmt: skip
