"""`lapa tasks quality library=DIR out=DIR`: a folder of tasks in; quality.json and a table of what the set is worth out."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lapa.executor import run_all
from lapa.files import write_json
from lapa.report_tasks import RECORD, rows
from lapa.stage import open_stage
from sim_finetune.alignment import alignment
from sim_finetune.bounds import check_counts
from sim_finetune.completion import completion
from sim_finetune.diversity import diversity
from sim_finetune.episode import Studio, make_env
from sim_finetune.library import load_evidence, load_library, manifest_folder, with_tasks
from sim_finetune.rollout import task_name
from sim_finetune.spec import TaskSpec

QUALITY = "quality.json"
PARTS = "resume"  # one task a file; not a result, so not hashed


def measure_library(cfg: DictConfig, console: Console, folder: Path) -> None:
    """Measure every task of `folder`, and the set; write and show it."""
    check_counts(cfg, "quality.seeds")
    specs, settings = load_library(folder), dict(cfg.quality)
    settings["seeds"] = range(cfg.seed_base, cfg.seed_base + settings["seeds"])
    with open_stage(with_tasks(cfg, specs), inputs={"library": manifest_folder(folder)}) as stage:
        if not stage.done:
            measure = partial(measured, folder=folder, studio=Studio.of(cfg), parts=stage.out / PARTS, **settings)
            tasks = list(run_all(measure, specs, num_workers=cfg.num_workers, label="tasks"))
            write_json(stage.out / QUALITY, {"record": RECORD, "set": summary(specs, tasks), "tasks": tasks})
            stage.finish(record=RECORD, count=len(specs), embodiment=Studio.of(cfg).embodiment.name)
        show(json.loads((stage.out / QUALITY).read_text()), console)


def measured(spec: TaskSpec, *, folder: Path, studio: Studio, parts: Path, **settings: Any) -> dict[str, Any]:
    """One task's alignment and completion, from disk when they were measured before."""
    path = parts / f"{spec.hash}.json"
    if not path.exists():
        write_json(path, _measure(spec, studio, load_evidence(folder, spec), **settings))
    return json.loads(path.read_text())


def _measure(
    spec: TaskSpec, studio: Studio, record: Mapping[str, Any], *, seeds: range, pixel_share: float, colour_share: float
) -> dict[str, Any]:
    env = make_env(spec, studio)
    seen = alignment(env, seeds, pixel_share=pixel_share, colour_share=colour_share)
    done = completion(env, record, seeds)
    return {"task": task_name(spec), "alignment": seen._asdict(), "completion": done._asdict()}


def summary(specs: Sequence[TaskSpec], tasks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The set's figures: means over its tasks, every task counting the same, and the measures of diversity."""
    means = {name: fmean(task[name]["share"] for task in tasks) for name in ("alignment", "completion")}
    stages = [share for task in tasks for share in task["completion"]["stages"]]
    return {"tasks": len(tasks), **means, "stages": fmean(stages) if stages else None, **diversity(specs)}


def show(found: Mapping[str, Any], console: Console) -> None:
    """The set's table, and a line for each task that is not all it says."""
    table = Table(title=f"quality of {found['set']['tasks']} tasks", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("measure", "value", "what it is"):
        table.add_column(column, justify="right" if column == "value" else "left", no_wrap=column != "what it is")
    for row in rows(found["set"]):
        table.add_row(*row)
    console.print(table)
    for line in (line for task in found["tasks"] for line in _faults(task)):
        console.print(Text(line), soft_wrap=True)  # Text: rich would read [brackets] in a plain str as style


def _faults(task: Mapping[str, Any]) -> list[str]:
    seen, done = task["alignment"], task["completion"]
    lines = [f"  • {task['task']}: aligned {seen['share']:.0%}, {seen['faults'][0]}"] if seen["faults"] else []
    if done["share"] < 1:
        stages = f", past its stages {[round(share, 2) for share in done['stages']]}" if done["stages"] else ""
        why = f": {done['fault']}" if done["fault"] else ""
        lines += [
            f"  • {task['task']}: completed {done['share']:.0%} of {done['seeds']} ({done['source']}){stages}{why}"
        ]
    return lines
