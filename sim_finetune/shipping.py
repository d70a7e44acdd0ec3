"""A library that `lapa propose` filled in; what of it goes with the package out: specs, verdicts, how they were made."""

import json
import shutil
from pathlib import Path
from typing import Any

from lapa.files import write_json
from sim_finetune.ladder import PASSED, SOLVING
from sim_finetune.library import TASKS, load_evidence, load_library, save_evidence, save_task
from sim_finetune.spec import TaskSpec

MADE = "made.json"  # beside tasks/: the funnel, the settings and the versions of the run
OF_RUN = ("embodiment", "proposed", "funnel", "versions")
OF_CONFIG = ("count", "seed", "seed_base", "ladder", "studio")


def ship(folder: Path, out: Path, *, without: tuple[str, ...], overwrite: bool) -> int:
    """Write out/tasks/<hash>.json, out/tasks/<hash>/ladder.json and out/made.json; returns how many tasks.

    without: beginnings of hashes of tasks to be left out; each must be there. ValueError for a task that no ladder has
    judged, and for an `out` that is filled, unless it may be overwritten. Pictures and films stay behind.
    """
    specs = load_library(folder)
    if strange := [start for start in without if not any(spec.hash.startswith(start) for spec in specs)]:
        raise ValueError(f"no task in {folder} has a hash that begins with {strange[0]!r}")
    kept = [(spec, _record(folder, spec)) for spec in specs if not spec.hash.startswith(without)]
    made = _made(folder) | {"left_out": [spec.hash for spec in specs if spec.hash.startswith(without)]}
    if (out / TASKS).exists():
        if not overwrite:
            raise ValueError(f"{out} holds a library already; overwrite=true replaces it")
        shutil.rmtree(out / TASKS)
    for spec, record in kept:
        save_task(out / TASKS, spec)
        save_evidence(out / TASKS, spec, record)
    write_json(out / MADE, made)
    return len(kept)


def _record(folder: Path, spec: TaskSpec) -> dict[str, Any]:
    record = load_evidence(folder, spec)
    if record.get("rung") not in (PASSED, SOLVING):
        raise ValueError(f"{folder}: no ladder has judged {spec.name} ({spec.hash}); `lapa propose` makes libraries")
    return record


def _made(folder: Path) -> dict[str, Any]:
    """What the run's manifest says, without the proposer's tables; empty for a folder that is only part of a run."""
    path = folder / "manifest.json"
    if not path.is_file():
        return {}
    manifest = json.loads(path.read_text())
    config = {name: manifest["config"][name] for name in OF_CONFIG}
    return {name: manifest[name] for name in OF_RUN} | config | {"proposer": manifest["config"]["proposer"]["_target_"]}
