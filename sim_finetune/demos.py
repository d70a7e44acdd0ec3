"""A slice of a collection's plan in, one shard of demonstrations out; all shards in, counts and statistics out."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange

from lapa.demos import totals
from lapa.shards import ShardIndex, shard_paths, write_shard
from lapa.video import encode_mp4
from sim_finetune.episode import Episode, Jolts, Studio, film, kept_env, play
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
    return [
        Slice(folder / f"demos-{i:06d}.tar", sorted(demos[cut : cut + demos_per_shard])) for i, cut in enumerate(cuts)
    ]


def solve(spec: TaskSpec, plan: Plan, demo: int) -> tuple[Episode | None, int]:
    """The first of the demo's own seeds that the expert solves, and how many failed before; None when all do."""
    env = kept_env(spec, plan.studio)
    for failed in range(plan.tries):
        episode = play(env, plan.jolts, seed=plan.seeds[demo * plan.tries + failed])
        if episode.solved:
            return episode, failed
    return None, plan.tries


def demo_sample(spec: TaskSpec, studio: Studio, episode: Episode, *, failed: int) -> dict[str, Any]:
    """The shard entry of one demonstration; `action.npy` is what the expert wanted, `executed.npy` what was sent."""
    about = {
        "text": episode.text,
        "fps": studio.control_hz,
        "source": "simulated",
        "embodiment": studio.embodiment.name,
    }
    about |= {"frames": len(episode.state), "task": spec.hash, "family": spec.family, "seed": episode.seed}
    videos = film(kept_env(spec, studio), episode)
    return {
        "__key__": f"{studio.embodiment.name}-{spec.hash}-{episode.seed:07d}",
        "json": about | {"failed_before": failed},
        "state.npy": episode.state,
        "action.npy": episode.action,
        "executed.npy": episode.executed,
        "motion.npy": episode.motion,
        **{
            "mp4" if i == 0 else f"{camera}.mp4": _mp4(videos[camera], studio)
            for i, camera in enumerate(studio.cameras)
        },
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


def summarise(folder: Path, plan: Plan, *, planned: int) -> dict[str, Any]:
    """Counts and statistics, read back from the shards so that a resumed run says the same as a whole one."""
    index = ShardIndex(shard_paths(folder))
    if len(index) == 0:
        raise ValueError(f"the expert solved none of {planned} demonstrations, with {plan.tries} seeds each")
    failed = sum(index[i]["json"]["failed_before"] for i in range(len(index))) + plan.tries * (planned - len(index))
    return {"planned": planned, "dropped_episodes": failed, **totals(index)}
