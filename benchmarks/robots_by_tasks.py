"""Which body does which task by the scripted expert: `robots_by_tasks.py [SEEDS] [TASK …]` → a Markdown table."""

import sys

import numpy as np

from lapa.doors import configs_dir
from sim_finetune.embodiment import embodiment_names, load_embodiment
from sim_finetune.env import TaskEnv
from sim_finetune.expert import Expert
from sim_finetune.library import load_library
from sim_finetune.spec import TaskSpec

FIRST_SEED = 5_000_000  # no seed of a video, a demonstration or a test
MAX_STEPS = 300


def solves(env: TaskEnv, seed: int) -> bool:
    """Whether the undisturbed expert brings the goal about and it holds."""
    env.reset(seed=seed)
    expert = Expert(env, noise=0.0, rng=np.random.default_rng(seed))
    ended, success = False, False
    while not ended:
        _, _, success, over, _ = env.step(expert.act())
        ended = success or over
    return success


def cell(spec: TaskSpec, body: str, seeds: int) -> int:
    """Episodes solved of so many seeds."""
    settings = {"image_px": 64, "control_hz": 10, "cameras": ["front"], "max_steps": MAX_STEPS}
    settings |= {"observe_pixels": False, "terminate_on_success": True}
    env = TaskEnv(spec=spec, embodiment=load_embodiment(body), **settings)  # type: ignore[arg-type]
    return sum(solves(env, FIRST_SEED + seed) for seed in range(seeds))


def main(seeds: int, names: list[str]) -> None:
    bodies = embodiment_names()
    print(f"| solved of {seeds} | {' | '.join(bodies)} |\n|{'---|' * (len(bodies) + 1)}")
    for spec in load_library(configs_dir() / "task"):
        if not names or spec.name in names:
            cells = [str(cell(spec, body, seeds)) for body in bodies]
            print(f"| {spec.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, sys.argv[2:])
