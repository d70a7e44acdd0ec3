"""Every door's frame: a fingerprint of settings and inputs decides skip, resume or refuse; ends in manifest.json."""

import importlib.metadata
import json
import platform
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from lapa.files import file_hash, value_hash, write_json
from lapa.lock import writing

MANIFEST, FINGERPRINT, TIMING, LOG = "manifest.json", "fingerprint.json", "timing.json", "log.jsonl"
EPISODES = "episodes.parquet"  # of rollouts: episodes.jsonl, which is a result, and how long each decision took
# Settings that say how a stage runs, not what comes out of it; `num_workers` in a group (data) neither.
NOT_HASHED = ("out", "overwrite", "executor", "config_dir", "logger")
NUM_WORKERS = "num_workers"
# Files a stage leaves that are not results: their bytes hold clocks or are needed only to go on.
NOT_RESULTS = (MANIFEST, FINGERPRINT, TIMING, LOG, EPISODES)
CLEARED = {"cleared": True}  # the fingerprint of a folder whose old result is being removed
JOIN_S = 60  # [s] that further processes of a stage wait for the first
PACKAGES = ("torch", "lightning", "vector-quantize-pytorch", "transformers", "mujoco", "webdataset", "decord", "av")


class Stage:
    """What a door sees between `open_stage` and `finish`."""

    def __init__(self, out: Path, config: dict[str, Any], inputs: dict[str, str], done: bool):
        self.out, self.config, self.inputs, self.done = out, config, inputs, done

    def log(self, **row: Any) -> None:
        """Append a row for tables and plots (log.jsonl; not part of the result's hash)."""
        with open(self.out / LOG, "a") as file:
            file.write(json.dumps(row) + "\n")

    def finish(self, *, record: str, count: int, **facts: Any) -> None:
        """Write the manifest: the stage is whole. `facts` are the numbers other rooms must agree on."""
        manifest = {"record": record, "count": count, **facts}
        manifest |= {"inputs": self.inputs, "config": self.config, "files": result_hashes(self.out)}
        write_json(self.out / MANIFEST, manifest | {"versions": versions()})
        self.done = True


@contextmanager
def open_stage(cfg: DictConfig, inputs: Mapping[str, Path | str | None]) -> Iterator[Stage]:
    """Enter the stage that fills `cfg.out` from `inputs` ({config key, dotted within a group: folder with a manifest}).

    `done` is true when the folder already holds this very result. A half-made folder of the same fingerprint goes on;
    one of another fingerprint is refused with what differs, or cleared when `cfg.overwrite` is set; one that another
    process is writing is refused (`lapa.lock`), and one that is an input or holds one.
    """
    _check_apart(Path(cfg.out), inputs)
    with writing(out := Path(cfg.out)):
        wanted = _wanted(cfg, inputs)
        done = _prepare(out, wanted, overwrite=bool(cfg.get("overwrite", False)))
        stage = Stage(out, wanted["config"], wanted["inputs"], done)
        if done:
            print(f"{out}: unchanged, skipped")
        started = time.time()
        try:
            yield stage
        except BaseException:
            with suppress(OSError):  # a full disk has been told of by what it stopped
                _add_time(out, time.time() - started)
            raise
        if not done:
            _add_time(out, time.time() - started)


@contextmanager
def join_stage(cfg: DictConfig, inputs: Mapping[str, Path | str | None]) -> Iterator[Stage]:
    """The stage that another process has entered, for those that help it: they wait for it, and write nothing.

    TimeoutError when it was not entered within `JOIN_S`.
    """
    out, wanted = Path(cfg.out), _wanted(cfg, inputs)
    deadline = time.time() + JOIN_S
    while not (out / FINGERPRINT).is_file() or json.loads((out / FINGERPRINT).read_text()) != wanted:
        if time.time() > deadline:
            raise TimeoutError(f"{out}: the first process has not begun it within {JOIN_S} s")
        time.sleep(0.1)
    yield Stage(out, wanted["config"], wanted["inputs"], (out / MANIFEST).is_file())


def _wanted(cfg: DictConfig, inputs: Mapping[str, Path | str | None]) -> dict[str, Any]:
    """The fingerprint: settings that change results, and a hash of each input."""
    hashes = {key: manifest_hash(Path(folder)) for key, folder in inputs.items() if folder is not None}
    return {"config": _comparable(cfg, inputs), "inputs": hashes}


def _comparable(cfg: DictConfig, inputs: Mapping[str, Path | str | None]) -> dict[str, Any]:
    """The settings without places: an input's folder, wherever else it is named, stands as `<key>`."""
    config: Any = OmegaConf.to_container(cfg, resolve=True)
    places = {str(folder): f"<{key}>" for key, folder in inputs.items() if "." in key}
    places |= {str(config[key]): f"<{key}>" for key in inputs if config.get(key) is not None}
    kept = {key: value for key, value in config.items() if key not in NOT_HASHED and key not in inputs}
    return renamed(_without_workers(kept), places)


def _without_workers(node: Any) -> Any:
    """A tree of settings without any `num_workers`."""
    if isinstance(node, dict):
        return {key: _without_workers(value) for key, value in node.items() if key != NUM_WORKERS}
    return [_without_workers(value) for value in node] if isinstance(node, list) else node


def renamed(node: Any, places: dict[str, str]) -> Any:
    """A tree of settings in which every text that is a key of `places` stands as its value."""
    if isinstance(node, dict):
        return {key: renamed(value, places) for key, value in node.items()}
    if isinstance(node, list):
        return [renamed(value, places) for value in node]
    return places.get(node, node) if isinstance(node, str) else node


def _check_apart(out: Path, inputs: Mapping[str, Path | str | None]) -> None:
    """ValueError when to clear `out` would be to lose what it is made from."""
    for key, folder in inputs.items():
        if folder is not None and Path(folder).resolve().is_relative_to(out.resolve()):
            raise ValueError(f"out={out} is, or holds, what is read as {key}={folder}; choose another out=")


def _prepare(out: Path, wanted: dict[str, Any], *, overwrite: bool) -> bool:
    path = out / FINGERPRINT
    if path.is_file():
        there = json.loads(path.read_text())
        if there == wanted:
            for leftover in out.rglob(".*.partial"):  # of a process that was killed while it wrote
                leftover.unlink()
            return (out / MANIFEST).is_file()
        if not overwrite and there != CLEARED:
            changed = ", ".join(differences(there, wanted)[:6])
            raise ValueError(
                f"{out} holds a result of other settings ({changed}); choose another out= or overwrite=true"
            )
        _clear(out)
    else:
        for begun in out.glob(f".{FINGERPRINT}.*.partial"):  # of a process that was killed at its first file
            begun.unlink()
        if out.is_dir() and any(out.iterdir()):
            raise ValueError(f"{out} is not empty and was not made by lapa; choose another out=")
    write_json(path, wanted)
    return False


def _clear(out: Path) -> None:
    """Empty the folder but for a fingerprint that says so: killed half-way, it is cleared on, and taken for no result."""
    write_json(out / FINGERPRINT, CLEARED)
    for path in out.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != FINGERPRINT:
            path.unlink()


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two JSON trees differ, as `path: value → value`."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted(one.keys() | other.keys())
        return [row for key in keys for row in differences(one.get(key), other.get(key), f"{path}.{key}".strip("."))]
    return [] if one == other else [f"{path}: {str(one)[:24]} → {str(other)[:24]}"]


def result_hashes(folder: Path) -> dict[str, str]:
    """sha256 of each result file in `folder` (top level and one below), hidden and bookkeeping files left out."""
    paths = sorted([*folder.glob("*"), *folder.glob("*/*")])
    results = [p for p in paths if p.is_file() and not p.name.startswith(".") and p.name not in NOT_RESULTS]
    skip = ("resume", "logs")
    return {str(p.relative_to(folder)): file_hash(p) for p in results if p.parent.name not in skip}


def manifest_hash(folder: Path) -> str:
    """One hash for a finished folder: of its manifest, which holds the hash of every file.

    Without the versions, and without last metrics: a kill between a checkpoint and its log row loses that row.
    """
    manifest = read_manifest(folder)
    return value_hash({key: value for key, value in manifest.items() if key not in ("versions", "final")})


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a finished folder; ValueError when it is missing or was not finished."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        why = (
            "was begun but not finished: run its command again"
            if (Path(folder) / FINGERPRINT).is_file()
            else "has no manifest"
        )
        raise ValueError(f"{folder} {why}" if Path(folder).is_dir() else f"no folder {folder}")
    return json.loads(path.read_text())


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that change results."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in PACKAGES}


def _add_time(out: Path, seconds: float) -> None:
    """timing.json holds seconds over all runs, so that a killed and continued stage tells its whole time."""
    path = out / TIMING
    before = json.loads(path.read_text())["seconds"] if path.is_file() else 0.0
    if out.is_dir():
        write_json(path, {"seconds": before + seconds, "machine": f"{platform.machine()}, {_cores()} cores"})


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
