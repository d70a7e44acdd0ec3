"""Task specs and a body in, shards of expert demonstrations out; `Watch` gives clips without actions."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console

from lapa.executor import run_all
from lapa.files import value_hash
from lapa.stage import open_stage
from sim_finetune.bounds import check_counts
from sim_finetune.demos import Plan, plan_slices, summarise, write_slice
from sim_finetune.embodiment import load_embodiment, mjcf_hash
from sim_finetune.episode import Jolts, Studio, film, kept_env, look_of, play, seed_block
from sim_finetune.exports import check_format, export
from sim_finetune.library import load_library, manifest_folder, of_families, with_tasks
from sim_finetune.render import check_drawing


def body_facts(studio: Studio) -> dict[str, Any]:
    """What a policy must know of the robot: embodiment, names, rate, cameras."""
    body = studio.embodiment
    facts = {"embodiment": body.name, "state_names": list(body.state_names), "action_names": list(body.action_names)}
    return facts | {"fps": studio.control_hz, "cameras": list(studio.cameras), "image_px": studio.image_px}


def main(cfg: DictConfig) -> None:
    """`lapa collect tasks=DIR embodiment=NAME out=DIR`: demonstrations that the expert completed, and only those."""
    check_format(cfg.export)
    check_counts(cfg, "demos_per_task", "demos_per_shard", "tries")
    folder, specs = Path(cfg.tasks), of_families(load_library(Path(cfg.tasks)), cfg.families)
    seeds = seed_block(cfg.seed_base, replicate=cfg.seed, count=cfg.demos_per_task * cfg.tries)
    plan = Plan(specs, Studio.of(cfg), Jolts(**cfg.jolts), seeds, cfg.tries)
    with open_stage(with_tasks(cfg, specs), inputs={"tasks": manifest_folder(folder)}) as stage:
        if stage.done:
            return
        sizes = {"demos_per_task": cfg.demos_per_task, "demos_per_shard": cfg.demos_per_shard}
        slices = plan_slices(stage.out, num_tasks=len(specs), **sizes)
        write = partial(write_slice, plan=plan)
        for _ in run_all(write, slices, executor=instantiate(cfg.executor), label="demonstrations"):
            pass
        facts = summarise(stage.out, plan, planned=len(specs) * cfg.demos_per_task)
        if cfg.export:
            export(cfg.export, stage.out, stage.out / cfg.export, body_facts(plan.studio))
        stage.finish(record="Demo", **body_facts(plan.studio), **facts)
    counts = "{count} of {planned} demonstrations, {frames} steps; {dropped_episodes} failed episodes dropped"
    Console().print(f"{stage.out}: {counts.format_map(facts)}", soft_wrap=True)


class Watch:
    """Clips of tasks being done, without actions: the simulated stand-in for people's videos.

    An item is (task number, seed); it is a plain tuple, so a worker process can be given it.
    """

    def __init__(
        self,
        *,
        tasks: str,
        embodiment: str,
        image_px: int,
        control_hz: float,
        camera: str,
        max_steps: int,
        videos_per_task: int,
        seed_base: int,
        jolts: Jolts,
        look: Mapping[str, Any] | None,
    ):
        self.specs = load_library(Path(tasks))
        self.studio = Studio(load_embodiment(embodiment), image_px, control_hz, (camera,), max_steps, look_of(look))
        self.videos_per_task, self.seed_base = videos_per_task, seed_base
        self.jolts = jolts if isinstance(jolts, Jolts) else Jolts(**jolts)

    def items(self) -> list[tuple[int, int]]:
        """Every clip there is to watch, all tasks in turn; ValueError when this machine cannot draw them."""
        check_drawing()
        seeds = seed_block(self.seed_base, replicate=0, count=self.videos_per_task)
        return [(task, seed) for seed in seeds for task in range(len(self.specs))]

    def contents(self) -> str:
        """A hash of the tasks shown, and of a body of your own: others make another result, wherever they lie."""
        hashes, body = [spec.hash for spec in self.specs], self.studio.embodiment
        own = mjcf_hash(body.mjcf)
        return value_hash([*hashes, body._replace(mjcf=own)] if own else hashes)

    def watch(self, item: tuple[int, int]) -> tuple[np.ndarray, str, np.ndarray]:
        """(frames UInt8 [t, h, w, 3] at control_hz, what is done in words, tool position Float32 [t, 3] in m).

        ValueError when the body did not manage the task: its words would not fit what is seen.
        """
        task, seed = item
        env = kept_env(self.specs[task], self.studio)
        episode = play(env, self.jolts, seed=seed)
        if not episode.solved:
            name, steps = self.specs[task].name, len(episode.state)
            raise ValueError(f"task {name} with seed {seed} was not completed in {steps} steps")
        return film(env, episode)[self.studio.cameras[0]], episode.text, episode.motion
