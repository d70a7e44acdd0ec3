"""Small LeRobotDatasets as strangers write them, v2.1 and v3.0: every frame's grey says which episode and row it is."""

import json
from pathlib import Path

import numpy as np
import pyarrow
import torch

from lapa.parquet import write_table as write_parquet
from lapa.video import encode_mp4, join_mp4

FPS, LENGTHS, SIZE = 20, (7, 10, 4), (24, 32)  # Hz, rows of each episode, height and width of the films
TASKS = ["pick up the cup", "put it down"]
NAMES = ["shoulder", "elbow", "gripper"]
CAMERAS = ("front", "wrist")


def key(camera: str) -> str:
    return f"observation.images.{camera}"


def grey(episode: int, row: int, camera: str = "front") -> int:
    """Between 20 and 240, 8 from row to row."""
    return 20 + 8 * row + 40 * episode + (4 if camera == "wrist" else 0)


def film(episode: int, camera: str, rows: int) -> bytes:
    levels = torch.tensor([grey(episode, row, camera) for row in range(rows)], dtype=torch.uint8)
    return encode_mp4(levels[:, None, None, None].expand(-1, 3, *SIZE).contiguous(), fps=FPS)


def rows_of(episode: int, first: int, task: int) -> dict[str, list]:
    """Columns of one episode; state is (episode, row, 0), action a tenth more."""
    length = LENGTHS[episode]
    state = np.stack([np.full(length, episode), np.arange(length), np.zeros(length)], axis=1).astype(np.float32)
    times = (np.arange(length) / FPS).astype(np.float32)
    return {
        "observation.state": list(state), "action": list(state + np.float32(0.1)), "timestamp": list(times),
        "frame_index": list(range(length)), "episode_index": [episode] * length,
        "index": list(range(first, first + length)), "task_index": [task] * length,
    }  # fmt: skip


def write_table(path: Path, columns: dict[str, list]) -> None:
    write_parquet(path, pyarrow.table(columns))


def write_info(folder: Path, version: str, *, names: object = NAMES, **paths: str) -> None:
    features = {
        key(c): {"dtype": "video", "shape": [*SIZE, 3], "names": ["height", "width", "channels"]} for c in CAMERAS
    }
    features |= {name: {"dtype": "float32", "shape": [3], "names": names} for name in ("observation.state", "action")}
    info = {"codebase_version": version, "robot_type": "so101", "fps": FPS, "chunks_size": 2, "features": features}
    (folder / "meta").mkdir(parents=True, exist_ok=True)
    (folder / "meta/info.json").write_text(json.dumps(info | paths))


def write_v21(folder: Path) -> Path:
    """A table and two films an episode; two episodes a chunk."""
    chunk = "chunk-{episode_chunk:03d}/"
    write_info(
        folder, "v2.1", data_path=f"data/{chunk}episode_{{episode_index:06d}}.parquet",
        video_path=f"videos/{chunk}{{video_key}}/episode_{{episode_index:06d}}.mp4",
    )  # fmt: skip
    first, episodes = 0, []
    for number, length in enumerate(LENGTHS):
        write_table(
            folder / f"data/chunk-{number // 2:03d}/episode_{number:06d}.parquet", rows_of(number, first, number % 2)
        )
        for camera in CAMERAS:
            path = folder / f"videos/chunk-{number // 2:03d}/{key(camera)}/episode_{number:06d}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(film(number, camera, length))
        episodes.append({"episode_index": number, "tasks": [TASKS[number % 2]], "length": length})
        first += length
    _write_lines(folder / "meta/episodes.jsonl", episodes)
    _write_lines(folder / "meta/tasks.jsonl", [{"task_index": i, "task": task} for i, task in enumerate(TASKS)])
    return folder


def _write_lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_v30(folder: Path) -> Path:
    """All rows in one table; the films of episodes 0 and 1 are one file, that of 2 another."""
    write_info(
        folder, "v3.0", data_path="data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        video_path="videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        names={"motors": NAMES},
    )  # fmt: skip
    starts = np.cumsum([0, *LENGTHS])
    parts = [rows_of(number, int(starts[number]), number % 2) for number in range(len(LENGTHS))]
    rows = {name: [value for part in parts for value in part[name]] for name in parts[0]}
    write_table(folder / "data/chunk-000/file-000.parquet", rows)
    episodes: dict[str, list] = {"episode_index": [0, 1, 2], "length": list(LENGTHS)}
    episodes |= {"data/chunk_index": [0, 0, 0], "data/file_index": [0, 0, 0]}
    for camera in CAMERAS:
        for file, members in enumerate([(0, 1), (2,)]):
            path = folder / f"videos/{key(camera)}/chunk-000/file-{file:03d}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(join_mp4([film(number, camera, LENGTHS[number]) for number in members], fps=FPS))
        spots = {"chunk_index": [0, 0, 0], "file_index": [0, 0, 1], "from_timestamp": [0.0, LENGTHS[0] / FPS, 0.0]}
        episodes |= {f"videos/{key(camera)}/{name}": values for name, values in spots.items()}
    write_table(folder / "meta/episodes/chunk-000/file-000.parquet", episodes)
    write_table(folder / "meta/tasks.parquet", {"task_index": [0, 1], "__index_level_0__": TASKS})
    return folder
