"""Tasks without an expert's demonstration and solvers in; which of them each solver solves, and how, out."""

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from lapa.executor import run_all
from lapa.files import write_json, write_jsonl
from lapa.stage import open_stage
from lapa.stats import wilson
from sim_finetune.bounds import check_counts
from sim_finetune.control import read_target
from sim_finetune.env import TaskEnv
from sim_finetune.episode import Studio, make_env, seed_block
from sim_finetune.games import Played, Row, play_through, play_together
from sim_finetune.library import load_library, manifest_folder, with_tasks
from sim_finetune.players import Player
from sim_finetune.rollout import task_name
from sim_finetune.spec import TaskSpec

PARTS = "resume"  # finished pairs with their times; not a result, so not hashed


class Solver(Player, Protocol):
    """A player that finds out by itself how a task is done. simulated_steps: control periods it has tried so far."""

    simulated_steps: int

    def begin(self, spec: TaskSpec, studio: Studio, *, threads: int) -> None:
        """Before its first episode of a task; once for each solver."""


class Pair(NamedTuple):
    """A task for a solver; `path` gets what came of it, whole or not at all. recipe: Hydra's for the solver, as yaml."""

    path: Path
    spec: TaskSpec
    solver: str
    recipe: str


def try_pair(pair: Pair, *, studio: Studio, seeds: range, threads: int) -> dict[str, Any]:
    """{rows, simulated_steps, seconds} of a solver's episodes of a task, from disk when they were played before."""
    if not pair.path.exists():
        started, solver = time.monotonic(), instantiate(OmegaConf.create(pair.recipe))
        solver.begin(pair.spec, studio, threads=threads)
        rows = []
        for seed in seeds:
            env = make_env(pair.spec, studio)
            played = play_together([play_through(env, seed=seed, execute_steps=studio.max_steps)], solver)[0]
            rows.append(_row(pair, env, played))
        found = {"rows": rows, "simulated_steps": solver.simulated_steps}
        write_json(pair.path, found | {"seconds": time.monotonic() - started})
    return json.loads(pair.path.read_text())


def _row(pair: Pair, env: TaskEnv, played: Played) -> Row:
    """The episode; of a solved one also its actions, which bring it about again from the same seed."""
    row = {"task": task_name(pair.spec), "task_hash": pair.spec.hash, "solver": pair.solver} | played.row
    if not row["success_held"]:
        return row
    actions = []
    for physics in played.physics[1:]:
        env.set_physics(physics)
        actions.append(read_target(env.data, env.wiring).tolist())
    return row | {"actions": actions}


def summarise(rows: Sequence[Row], simulated_steps: int) -> dict[str, Any]:
    """How a solver did on a task: goal held, with its 95 % Wilson interval; mean steps of the solved episodes."""
    solved = [row["steps"] for row in rows if row["success_held"]]
    rates = {"episodes": len(rows), "solved": len(solved), "wilson_95": list(wilson(len(solved), len(rows)))}
    return rates | {"mean_steps": float(np.mean(solved)) if solved else None, "simulated_steps": simulated_steps}


def main(cfg: DictConfig) -> None:
    """`lapa solve tasks=LIBRARY/unsolved solver=[mppi,cem] out=DIR`: what can be done without the expert."""
    check_counts(cfg, "episodes_per_task")
    specs, studio = load_library(Path(cfg.tasks)), Studio.of(cfg)
    seeds = seed_block(cfg.seed_base, replicate=cfg.seed, count=cfg.episodes_per_task)
    with open_stage(with_tasks(cfg, specs), inputs={"tasks": manifest_folder(Path(cfg.tasks))}) as stage:
        if stage.done:
            return
        pairs = plan_pairs(stage.out / PARTS, specs, cfg.solvers)
        threads = max(cfg.num_workers, 1) if len(pairs) == 1 else 1
        attempt = partial(try_pair, studio=studio, seeds=seeds, threads=threads)
        found = list(run_all(attempt, pairs, num_workers=cfg.num_workers, label="tasks × solvers"))
        write_jsonl(stage.out / "attempts.jsonl", [row for one in found for row in one["rows"]])
        summary: dict[str, dict[str, Any]] = {task_name(spec): {} for spec in specs}
        for pair, one in zip(pairs, found, strict=True):
            summary[task_name(pair.spec)][pair.solver] = summarise(one["rows"], one["simulated_steps"])
        write_json(stage.out / "solved.json", summary)
        facts = {"embodiment": studio.embodiment.name, "solved": summary}
        stage.finish(record="Attempt", count=len(pairs) * len(seeds), **facts)
    Console().print(table(summary, [one["seconds"] for one in found], str(stage.out)))


def plan_pairs(folder: Path, specs: Sequence[TaskSpec], solvers: DictConfig) -> list[Pair]:
    """Every task with every solver."""
    recipes = {str(name): OmegaConf.to_yaml(recipe, resolve=True) for name, recipe in solvers.items()}
    return [
        Pair(folder / f"{spec.hash}-{name}.json", spec, name, recipe)
        for spec in specs
        for name, recipe in recipes.items()
    ]


def table(summary: dict[str, dict[str, Any]], seconds: Sequence[float], title: str) -> Table:
    """Task × solver for a terminal; seconds: wall time of each pair, in order."""
    shown = Table("task", "solver", "solved", "95 %", "steps", "simulated steps", "seconds", title=title)
    lines = [(task, solver, one) for task, by_solver in summary.items() for solver, one in by_solver.items()]
    for (task, solver, one), took in zip(lines, seconds, strict=True):
        low, high = one["wilson_95"]
        steps = "" if one["mean_steps"] is None else f"{one['mean_steps']:.1f}"
        cells = [f"{one['solved']}/{one['episodes']}", f"{low:.0%}–{high:.0%}", steps, f"{one['simulated_steps']:,}"]
        shown.add_row(task, solver, *cells, f"{took:.1f}")
    return shown
