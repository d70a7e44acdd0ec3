"""A folder of task files in, checked `TaskSpec`s out, in the order of their file names; and back, with what proves them."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from lapa.doors import configs_dir
from lapa.files import write_json
from sim_finetune.embodiment import with_body
from sim_finetune.reading import check_size, read_json, read_yaml
from sim_finetune.spec import TaskSpec, read_spec
from sim_finetune.values import MAX_DEPTH

SUFFIXES = (".json", ".yaml", ".yml")
TASKS = "tasks"  # where `propose` puts what it accepted
SEEDS = "seeds"  # what the hand-written tasks are called as a library
MOST_BYTES = 1 << 18  # of a task file: what the ladder's R0 lets through, written out and indented
LADDER = "ladder.json"  # beside a task, in the folder of its name: what each rung measured


def save_task(folder: Path, spec: TaskSpec) -> Path:
    """Write `folder/<hash>.json` atomically and return its path."""
    path = Path(folder) / f"{spec.hash}.json"
    write_json(path, spec.model_dump(mode="json"))
    return path


def evidence_folder(folder: Path, spec: TaskSpec) -> Path:
    """Where a library keeps what belongs to a task: ladder.json, thumbnail.png, oracle.mp4."""
    return Path(folder) / spec.hash


def save_evidence(folder: Path, spec: TaskSpec, record: Mapping[str, Any]) -> None:
    """Write the task's funnel record, `folder/<hash>/ladder.json`."""
    write_json(evidence_folder(folder, spec) / LADDER, record)


def load_evidence(folder: Path | str, spec: TaskSpec) -> dict[str, Any]:
    """The task's funnel record; empty for a task that nothing has judged."""
    path = evidence_folder(task_paths(folder)[0].parent, spec) / LADDER
    return json.loads(path.read_text()) if path.is_file() else {}


def load_task(path: Path, seed: int | None = None) -> TaskSpec:
    """One spec from a JSON or YAML file; ValueError names the file and the field at fault.

    A file with drawn values is a family of tasks, of which `seed` chooses one.
    """
    path = Path(path)
    try:
        return read_spec(_document(path), seed)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _document(path: Path) -> Any:
    check_size(path.stat().st_size, MOST_BYTES)  # before it is in memory
    text = path.read_text()
    if path.suffix == ".json":
        return read_json(text, max_bytes=MOST_BYTES, max_depth=MAX_DEPTH)
    return read_yaml(text, max_bytes=MOST_BYTES)


def shipped() -> dict[str, Path]:
    """The libraries that ship, by name: the hand-written tasks, and what `lapa tasks ship` put into configs/libraries."""
    folders = sorted(path for path in (configs_dir() / "libraries").glob("*") if path.is_dir())
    return {SEEDS: configs_dir() / "task"} | {path.name: path for path in folders}


def library_path(folder: Path | str) -> Path:
    """The folder, or where the library of that name ships when no such folder is there; ValueError lists the names."""
    if Path(folder).is_dir():
        return Path(folder)
    if str(folder) not in (libraries := shipped()):
        raise ValueError(f"no folder of tasks {folder}; libraries that ship are {list(libraries)}")
    return libraries[str(folder)]


def task_paths(folder: Path | str) -> list[Path]:
    """The task files that `propose` accepted into `folder`, or those of a plain folder or of a library that ships, by
    name; ValueError for none.
    """
    folder = library_path(folder)
    home = folder / TASKS if (folder / TASKS).is_dir() else folder
    paths = sorted(path for path in home.iterdir() if path.suffix in SUFFIXES)
    if not paths:
        raise ValueError(f"no tasks ({', '.join('*' + suffix for suffix in SUFFIXES)}) in {home}")
    return paths


def load_library(folder: Path | str) -> list[TaskSpec]:
    """The tasks of `task_paths`, each once: two files may hold the same."""
    return _each_once(load_task(path) for path in task_paths(folder))


def load_libraries(folders: Path | str | Sequence[str]) -> list[TaskSpec]:
    """The tasks of one folder, or of several in their order, each once: played twice it would count twice."""
    each = [folders] if isinstance(folders, (str, Path)) else folders
    return _each_once(spec for folder in each for spec in load_library(folder))


def _each_once(specs: Iterable[TaskSpec]) -> list[TaskSpec]:
    first: dict[str, TaskSpec] = {}
    for spec in specs:
        first.setdefault(spec.hash, spec)
    return list(first.values())


def of_families(specs: list[TaskSpec], families: Sequence[str] | None) -> list[TaskSpec]:
    """The tasks of those families, in their order, or all when None; ValueError for a family that has no task."""
    there = {spec.family for spec in specs}
    if missing := sorted(set(families or ()) - there):
        raise ValueError(f"no task of the families {missing}; there are {sorted(there)}")
    return specs if families is None else [spec for spec in specs if spec.family in families]


def manifest_folder(folder: Path | str | Sequence[str]) -> Path | None:
    """The folder when a door made it, to be hashed as an input; None for hand-written tasks, and for several folders:
    `with_tasks` says what is in them.
    """
    if not isinstance(folder, (Path, str)):
        return None
    return Path(folder) if (Path(folder) / "manifest.json").is_file() else None


def with_tasks(cfg: DictConfig, specs: list[TaskSpec]) -> DictConfig:
    """`cfg` with the tasks' and the body's identities, so that another is another result, wherever it came from."""
    with open_dict(cfg):
        return OmegaConf.merge(with_body(cfg), {"task_hashes": [spec.hash for spec in specs]})  # type: ignore[return-value]
