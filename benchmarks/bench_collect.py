"""What a demonstration costs by body and task, in CPU time of one core: playing, drawing, encoding it.

python benchmarks/bench_collect.py [BODY …]
"""

import os
import sys
import time

os.environ.setdefault("LP_NUM_THREADS", "0")  # Mesa's software renderer draws in this thread: nothing hides in others

import numpy as np
import torch
from einops import rearrange
from timing import markdown

from lapa.doors import configs_dir
from lapa.video import encode_mp4
from sim_finetune.embodiment import embodiment_names, load_embodiment
from sim_finetune.env import TaskEnv
from sim_finetune.episode import Jolts, Studio, film, make_env, play
from sim_finetune.library import load_task

EPISODES = 6
TASKS = ("reach", "push_to_zone", "pick_and_place", "open_drawer", "sort_by_colour")
JOLTS = Jolts(chance=0.06, steps=4, size_m=0.04)  # as in configs/collect.yaml


def measure(env: TaskEnv, studio: Studio, seed: int) -> tuple[bool, int, list[float]]:
    """(solved, steps, CPU seconds of playing, drawing and encoding) of an episode."""
    marks = [time.process_time()]
    episode = play(env, JOLTS, seed=seed)
    marks.append(time.process_time())
    frames = film(env, episode)["front"]
    marks.append(time.process_time())
    encode_mp4(rearrange(torch.from_numpy(frames), "t h w c -> t c h w"), fps=studio.control_hz)
    marks.append(time.process_time())
    return episode.solved, len(episode.state), np.diff(marks).tolist()


def row(body: str, task: str) -> list[str]:
    """Milliseconds a step of each part, and demonstrations that a core finishes in a minute; the first one warms up."""
    studio = Studio(load_embodiment(body), 64, 10, ("front",), 150)
    env = make_env(load_task(configs_dir() / "task" / f"{task}.yaml"), studio)
    solved, steps, seconds = zip(*[measure(env, studio, seed) for seed in range(EPISODES + 1)][1:], strict=True)
    per_step = 1e3 * np.median(np.array(seconds) / np.array(steps)[:, None], axis=0)
    a_minute = 60 * sum(solved) / np.sum(seconds)
    return [
        body,
        task,
        f"{sum(solved)}/{EPISODES}",
        f"{np.mean(steps):.0f}",
        *(f"{value:.2f}" for value in per_step),
        f"{a_minute:.0f}",
    ]


def main(bodies: list[str]) -> None:
    torch.set_num_threads(1)
    head = ["body", "task", "solved", "steps", "play ms/step", "draw", "mp4", "demonstrations a core-minute"]
    rows = [row(body, task) for body in bodies or embodiment_names() for task in TASKS]
    print(f"\nDemonstrations of {EPISODES} seeds each, pushed off their paths, one 64 px camera; medians\n")
    print(markdown(head, rows))


if __name__ == "__main__":
    main(sys.argv[1:])
