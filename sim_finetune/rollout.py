"""A player and tasks in; a row an episode, a summary and a few videos out; everybody gets the same seeds."""

import json
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow
import torch
from einops import rearrange
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console
from rich.table import Table

from lapa.executor import run_all
from lapa.files import atomic_path, write_json, write_jsonl
from lapa.parquet import write_table
from lapa.stage import EPISODES, open_stage
from lapa.stats import wilson
from lapa.video import encode_mp4
from sim_finetune.bounds import check_counts
from sim_finetune.env import TaskEnv
from sim_finetune.episode import Studio, make_env, seed_block
from sim_finetune.failures import failure
from sim_finetune.games import Played, Row, play_through, play_together
from sim_finetune.library import load_libraries, manifest_folder, with_tasks
from sim_finetune.players import Particular, Player, robot_facts
from sim_finetune.render import Camera
from sim_finetune.spec import TaskSpec

PARTS = "resume"  # rows of finished parts; not a result, so not hashed
LATENCY = "latency_ms"  # the one entry of a row that is never the same: only where nothing is hashed
MODELS = ("checkpoint", "plan", "inverse_dynamics")  # keys of folders that players are made of
MEASURES = ("success_once", "success_at_end", "success_held")


class Part(NamedTuple):
    """Episodes that run side by side: (task number, seed) pairs; `path` gets their rows, whole or not at all."""

    path: Path
    episodes: list[tuple[int, int]]


class Plan(NamedTuple):
    """Everything a worker needs to play any part. player: Hydra's recipe for it, as yaml."""

    specs: list[TaskSpec]
    studio: Studio
    player: str
    execute_steps: int  # of a chunk, before the player is asked again
    film_before: int  # episodes with a smaller seed are filmed
    video_px: int


def task_name(spec: TaskSpec) -> str:
    """A readable name that no other task of a library has."""
    return f"{spec.name}_{spec.hash[:6]}"


@lru_cache(maxsize=1)
def _player(recipe: str) -> Player:
    """Built once a process; one policy in memory at a time."""
    return instantiate(OmegaConf.create(recipe))


def play_part(part: Part, *, plan: Plan) -> None:
    """Play a part and write its rows and videos, unless its rows are there."""
    if part.path.exists():
        return
    player = _player(plan.player)
    envs = [make_env(plan.specs[task], plan.studio) for task, _ in part.episodes]
    steps = plan.execute_steps
    pairs = zip(envs, part.episodes, strict=True)
    played = play_together([play_through(env, seed=seed, execute_steps=steps) for env, (_, seed) in pairs], player)
    rows = []
    for env, (_, seed), one in zip(envs, part.episodes, played, strict=True):
        about = {"task": task_name(env.task_spec), "task_hash": env.task_spec.hash, "family": env.task_spec.family}
        about |= {"policy_hash": player.hash, "renderer": os.environ["MUJOCO_GL"]}
        rows.append(about | one.row | {"failure": failure(env, one), LATENCY: one.latency_ms})
        if seed < plan.film_before:
            write_video(part.path.parents[1] / f"rollout_{about['task']}_{seed}.mp4", env, one, plan)
    write_jsonl(part.path, rows)


def write_video(path: Path, env: TaskEnv, played: Played, plan: Plan) -> None:
    """The episode as its first camera saw it, larger than the policy's pictures; a person is to watch it."""
    camera, frames = Camera(model=env.model, image_px=plan.video_px), []
    for physics in played.physics:
        env.set_physics(physics)
        frames.append(camera.draw(env.data, env.cameras[0]))
    pictures = rearrange(torch.from_numpy(np.stack(frames)), "t h w c -> t c h w")
    with atomic_path(path) as partial_path:
        partial_path.write_bytes(encode_mp4(pictures, fps=env.control_hz))


def plan_parts(folder: Path, *, num_tasks: int, seeds: range, batch: int) -> list[Part]:
    """Every task with every seed, cut into parts that are played side by side."""
    episodes = [(task, seed) for task in range(num_tasks) for seed in seeds]
    cuts = range(0, len(episodes), batch)
    return [Part(folder / f"part-{i:05d}.jsonl", episodes[cut : cut + batch]) for i, cut in enumerate(cuts)]


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Rates with 95 % Wilson intervals, over all episodes and by family."""
    families = {
        family: [row for row in rows if row["family"] == family] for family in sorted({r["family"] for r in rows})
    }
    return {"all": _rates(rows), "families": {family: _rates(some) for family, some in families.items()}}


def _rates(rows: Sequence[Row]) -> dict[str, Any]:
    rates: dict[str, Any] = {"episodes": len(rows), "mean_steps": float(np.mean([row["steps"] for row in rows]))}
    for measure in MEASURES:
        count = sum(row[measure] for row in rows)
        rates[measure] = {"successes": count, "rate": count / len(rows), "wilson_95": list(wilson(count, len(rows)))}
    return rates


def merge_rows(parts: Sequence[Part], out: Path) -> list[Row]:
    """Write the finished parts' rows, in order, and return them: episodes.parquet has them whole, and is not hashed;
    episodes.jsonl without their latency, so that equal runs are equal bytes.
    """
    rows = [json.loads(line) for part in parts for line in part.path.read_text().splitlines()]
    write_table(out / EPISODES, pyarrow.Table.from_pylist(rows))
    write_jsonl(out / "episodes.jsonl", [{key: row[key] for key in row if key != LATENCY} for row in rows])
    return rows


def main(cfg: DictConfig) -> None:
    """`lapa rollout checkpoint=DIR tasks=DIR out=DIR`: every task with the same seeds for whoever plays."""
    check_counts(cfg, "execute_steps", "episodes_per_task", "batch")
    specs, studio = load_libraries(cfg.tasks), Studio.of(cfg)
    seeds = seed_block(cfg.seed_base, replicate=cfg.seed, count=cfg.episodes_per_task)
    player, inputs = OmegaConf.to_yaml(cfg.policy, resolve=True), player_inputs(cfg)
    plan = Plan(specs, studio, player, cfg.execute_steps, seeds.start + cfg.videos_per_task, cfg.video_px)
    with open_stage(with_policy(with_tasks(cfg, specs), player), inputs) as stage:
        if stage.done:
            return
        preflight(plan, alone=cfg.num_workers > 0)
        parts = plan_parts(stage.out / PARTS, num_tasks=len(specs), seeds=seeds, batch=cfg.batch)
        for _ in run_all(partial(play_part, plan=plan), parts, num_workers=cfg.num_workers, label="episode batches"):
            pass
        rows = merge_rows(parts, stage.out)
        summary = summarise(rows)
        write_json(stage.out / "summary.json", summary)
        facts = {
            "embodiment": studio.embodiment.name,
            "policy_hash": rows[0]["policy_hash"],
            "renderer": rows[0]["renderer"],
        }
        stage.finish(record="Episode", count=len(rows), fps=studio.control_hz, **facts)
    Console().print(table(summary, str(stage.out)))


def preflight(plan: Plan, *, alone: bool) -> None:
    """Before anything runs, a player made for one robot is held against this one; ValueError with every difference.

    alone: nobody plays in this process, so the policy need not stay in its memory.
    """
    player = _player(plan.player)
    if isinstance(player, Particular):
        player.preflight(robot_facts(plan.studio, execute_steps=plan.execute_steps))
    if alone:
        _player.cache_clear()


def with_policy(cfg: DictConfig, player: str) -> DictConfig:
    """`cfg` with the hash of a policy that lies behind a server, as its address does not say which one it is."""
    if "policy" not in cfg.policy or any(cfg[key] for key in MODELS):
        return cfg
    with open_dict(cfg):
        return OmegaConf.merge(cfg, {"policy_hash": _player(player).hash})  # type: ignore[return-value]


def player_inputs(cfg: DictConfig) -> dict[str, Path | None]:
    """What the result depends on by hash: the tasks, and the models' folders instead of their paths."""
    missing = [f"{key}=FOLDER" for key in _without_path(cfg.policy, MODELS[0])]
    if missing:
        raise ValueError(f"this policy needs {' '.join(missing)}; remote, expert, random and still need none")
    models = {key: Path(cfg[key]) if cfg[key] else None for key in MODELS}
    return {"tasks": manifest_folder(cfg.tasks)} | models


def _without_path(node: DictConfig, name: str) -> Iterator[str]:
    """Which folders a player lacks: those of `MODELS` are called as the part that is loaded from them, or are the first."""
    if node.get("path", "") is None:
        yield name
    for key, part in node.items():
        if isinstance(part, DictConfig):
            yield from _without_path(part, str(key) if key in MODELS else name)


def table(summary: dict[str, Any], title: str) -> Table:
    """The summary for a terminal: success held, with its interval, by family."""
    shown = Table("tasks", "episodes", *MEASURES, "steps", title=title)
    for name, rates in [*summary["families"].items(), ("all", summary["all"])]:
        cells = [
            f"{rates[m]['rate']:.0%} [{rates[m]['wilson_95'][0]:.0%}, {rates[m]['wilson_95'][1]:.0%}]" for m in MEASURES
        ]
        shown.add_row(name, str(rates["episodes"]), *cells, f"{rates['mean_steps']:.1f}")
    return shown
