"""Task specs and a body in, shards of expert demonstrations (mp4, state, action) out; `Watch` gives clips without actions."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from omegaconf import DictConfig
from rich import print as rich_print

from lapa.executor import run_all
from lapa.files import value_hash
from lapa.shards import ShardIndex, shard_paths, write_shard
from lapa.stage import open_stage
from lapa.video import encode_mp4
from sim_finetune.embodiment import load_embodiment
from sim_finetune.episode import Episode, Jolts, Studio, film, kept_env, play, seed_block
from sim_finetune.library import load_library, manifest_folder, with_tasks
from sim_finetune.spec import TaskSpec


class Slice(NamedTuple):
    """What one shard shall hold: (task number, demo number) pairs, sorted by task so that each task compiles once."""

    path: Path
    demos: list[tuple[int, int]]


class Plan(NamedTuple):
    """Everything a worker needs to make any shard. tries: seeds given to a demonstration before it is left out."""

    specs: list[TaskSpec]
    studio: Studio
    jolts: Jolts
    seeds: range
    tries: int


def plan_slices(folder: Path, *, num_tasks: int, demos_per_task: int, demos_per_shard: int) -> list[Slice]:
    """Fixed before anything runs, each shard a mix of all tasks: what a shard holds depends on nothing that happens."""
    demos = [(task, demo) for demo in range(demos_per_task) for task in range(num_tasks)]
    cuts = range(0, len(demos), demos_per_shard)
    return [Slice(folder / f"demos-{i:06d}.tar", sorted(demos[cut : cut + demos_per_shard])) for i, cut in enumerate(cuts)]


def solve(spec: TaskSpec, plan: Plan, demo: int) -> tuple[Episode | None, int]:
    """The first of the demonstration's own seeds that the expert solves, and how many failed before; None when all do."""
    env = kept_env(spec, plan.studio)
    for failed in range(plan.tries):
        episode = play(env, plan.jolts, seed=plan.seeds[demo * plan.tries + failed])
        if episode.solved:
            return episode, failed
    return None, plan.tries


def demo_sample(spec: TaskSpec, studio: Studio, episode: Episode, *, failed: int) -> dict[str, Any]:
    """The shard entry of one demonstration; `action.npy` is what the expert wanted, `executed.npy` what was sent."""
    about = {"text": episode.text, "fps": studio.control_hz, "source": "simulated", "embodiment": studio.embodiment.name}
    about |= {"frames": len(episode.state), "task": spec.hash, "family": spec.family, "seed": episode.seed}
    videos = film(kept_env(spec, studio), episode)
    return {
        "__key__": f"{studio.embodiment.name}-{spec.hash}-{episode.seed:07d}",
        "json": about | {"failed_before": failed},
        "state.npy": episode.state,
        "action.npy": episode.action,
        "executed.npy": episode.executed,
        "motion.npy": episode.motion,
        **{"mp4" if i == 0 else f"{camera}.mp4": _mp4(videos[camera], studio) for i, camera in enumerate(studio.cameras)},
    }


def _mp4(frames: np.ndarray, studio: Studio) -> bytes:
    return encode_mp4(rearrange(torch.from_numpy(frames), "t h w c -> t c h w"), fps=studio.control_hz)


def write_slice(slice_: Slice, *, plan: Plan) -> int:
    """Write one shard unless it is there already; returns how many demonstrations it has."""
    if slice_.path.exists():  # it appears only when whole
        return len(ShardIndex([slice_.path]))
    return write_shard(slice_.path, _samples(slice_, plan))


def _samples(slice_: Slice, plan: Plan) -> Iterator[dict[str, Any]]:
    for task, demo in slice_.demos:
        episode, failed = solve(plan.specs[task], plan, demo)
        if episode is not None:
            yield demo_sample(plan.specs[task], plan.studio, episode, failed=failed)


def statistics(values: np.ndarray) -> dict[str, list[float]]:
    """Column statistics of `values` [n, d], in the body's own units, for normalisation."""
    rows = values.astype(np.float64)
    low, high = np.quantile(rows, [0.01, 0.99], axis=0)
    table = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0), "q01": low, "q99": high}
    return {name: column.tolist() for name, column in table.items()}


def summarise(folder: Path, plan: Plan, *, planned: int) -> dict[str, Any]:
    """Counts and statistics, read back from the shards so that a resumed run says the same as a whole one."""
    index = ShardIndex(shard_paths(folder))
    samples = [index[i] for i in range(len(index))]
    if not samples:
        raise ValueError(f"the expert solved none of {planned} demonstrations, with {plan.tries} seeds each")
    failed = sum(sample["json"]["failed_before"] for sample in samples) + plan.tries * (planned - len(samples))
    columns = {name: np.concatenate([sample[f"{name}.npy"] for sample in samples]) for name in ("state", "action")}
    return {
        "count": len(samples),
        "planned": planned,
        "dropped_episodes": failed,
        "frames": len(columns["state"]),
        "statistics": {name: statistics(values) for name, values in columns.items()},
    }


def body_facts(studio: Studio) -> dict[str, Any]:
    """What a policy must know of the robot: embodiment, names, rate, cameras."""
    body = studio.embodiment
    facts = {"embodiment": body.name, "state_names": list(body.state_names), "action_names": list(body.action_names)}
    return facts | {"fps": studio.control_hz, "cameras": list(studio.cameras), "image_px": studio.image_px}


def main(cfg: DictConfig) -> None:
    """`lapa collect tasks=DIR embodiment=NAME out=DIR`: demonstrations that the expert completed, and only those."""
    folder, specs = Path(cfg.tasks), load_library(Path(cfg.tasks))
    seeds = seed_block(cfg.seed_base, replicate=cfg.seed, count=cfg.demos_per_task * cfg.tries)
    plan = Plan(specs, Studio.of(cfg), Jolts(**cfg.jolts), seeds, cfg.tries)
    with open_stage(with_tasks(cfg, specs), inputs={"tasks": manifest_folder(folder)}) as stage:
        if stage.done:
            return
        sizes = {"demos_per_task": cfg.demos_per_task, "demos_per_shard": cfg.demos_per_shard}
        slices = plan_slices(stage.out, num_tasks=len(specs), **sizes)
        write = partial(write_slice, plan=plan)
        for _ in run_all(write, slices, num_workers=cfg.num_workers, label="demonstrations"):
            pass
        facts = summarise(stage.out, plan, planned=len(specs) * cfg.demos_per_task)
        stage.finish(record="Demo", **body_facts(plan.studio), **facts)
    kept, dropped = facts["count"], facts["dropped_episodes"]
    rich_print(f"{stage.out}: {kept} of {facts['planned']} demonstrations, {facts['frames']} steps; {dropped} failed episodes dropped")


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
    ):
        self.specs = load_library(Path(tasks))
        self.studio = Studio(load_embodiment(embodiment), image_px, control_hz, (camera,), max_steps)
        self.videos_per_task, self.seed_base = videos_per_task, seed_base
        self.jolts = jolts if isinstance(jolts, Jolts) else Jolts(**jolts)

    def items(self) -> list[tuple[int, int]]:
        """Every clip there is to watch, all tasks in turn."""
        seeds = range(self.seed_base, self.seed_base + self.videos_per_task)
        return [(task, seed) for seed in seeds for task in range(len(self.specs))]

    def contents(self) -> str:
        """A hash of the tasks shown: other tasks make another result, wherever they lie."""
        return value_hash([spec.hash for spec in self.specs])

    def watch(self, item: tuple[int, int]) -> tuple[np.ndarray, str, np.ndarray]:
        """(frames UInt8 [t, h, w, 3] at control_hz, what is done in words, tool position Float32 [t, 3] in m).

        ValueError when the body did not manage the task: its words would not fit what is seen.
        """
        task, seed = item
        env = kept_env(self.specs[task], self.studio)
        episode = play(env, self.jolts, seed=seed)
        if not episode.solved:
            raise ValueError(f"task {self.specs[task].name} with seed {seed} was not completed in {len(episode.state)} steps")
        return film(env, episode)[self.studio.cameras[0]], episode.text, episode.motion
