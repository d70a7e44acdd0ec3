"""Clips with a LeRobot table beside each (v2.1 columns) in, a whole LeRobotDataset v2.1, made of links, out."""

import json
from pathlib import Path

import av
import pyarrow.parquet as parquet

from lapa.files import write_json, write_jsonl

CAMERA, CHUNK = "observation.images.front", 1000
ARMS, HANDS = 14, 12  # of the 26 numbers; the files name none, these names say their place only
NAMES = [f"arm_{i}" for i in range(ARMS)] + [f"hand_{i}" for i in range(HANDS)]


def manifest_rows(videos: Path, folder: str) -> list[dict]:
    """The rows of manifest.jsonl under a folder, by path."""
    rows = [json.loads(line) for line in (videos / "manifest.jsonl").read_text().splitlines()]
    return sorted((row for row in rows if row["path"].startswith(f"{folder}/")), key=lambda row: row["path"])


def link(target: Path, path: Path) -> None:
    """A link, unless it is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_symlink():
        path.symlink_to(target.resolve())


def link_videos(videos: Path, folders: list[str], out: Path) -> Path:
    """A folder of some sources' videos and their words, for `lapa build`."""
    rows = [row for folder in folders for row in manifest_rows(videos, folder)]
    for row in rows:
        link(videos / row["path"], out / row["path"])
    write_jsonl(out / "manifest.jsonl", rows)
    return out


def link_dataset(videos: Path, folder: str, out: Path) -> Path:
    """A LeRobotDataset v2.1 of the clips that name a table as their "actions"."""
    rows = [row for row in manifest_rows(videos, folder) if row.get("actions")]
    texts = sorted({row["instruction"] for row in rows})
    episodes = []
    for row in rows:
        table = parquet.read_table(videos / row["actions"], columns=["episode_index", "task_index"])
        number, task = (table[name][0].as_py() for name in ("episode_index", "task_index"))
        assert texts[task] == row["instruction"], (row["path"], task)
        link(videos / row["actions"], out / f"data/chunk-000/episode_{number:06d}.parquet")
        link(videos / row["path"], out / f"videos/chunk-000/{CAMERA}/episode_{number:06d}.mp4")
        episodes.append({"episode_index": number, "tasks": [row["instruction"]], "length": table.num_rows})
    write_jsonl(out / "meta/episodes.jsonl", episodes)
    write_jsonl(out / "meta/tasks.jsonl", [{"task_index": i, "task": text} for i, text in enumerate(texts)])
    write_json(out / "meta/info.json", _info(videos / rows[0]["path"], rows[0]["embodiment"], len(rows)))
    return out


def _info(film: Path, robot: str, episodes: int) -> dict:
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate is not None
        fps, shape = float(stream.average_rate), [stream.height, stream.width, 3]
    numbers = {"dtype": "float32", "shape": [len(NAMES)], "names": NAMES}
    pictures = {"dtype": "video", "shape": shape, "names": ["height", "width", "channels"]}
    where = "chunk-{episode_chunk:03d}"
    return {
        "codebase_version": "v2.1", "robot_type": robot, "fps": fps, "total_episodes": episodes, "chunks_size": CHUNK,
        "data_path": f"data/{where}/episode_{{episode_index:06d}}.parquet",
        "video_path": f"videos/{where}/{{video_key}}/episode_{{episode_index:06d}}.mp4",
        "features": {"observation.state": numbers, "action": numbers, CAMERA: pictures},
    }  # fmt: skip
