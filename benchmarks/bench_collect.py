"""What an expert episode costs by body and task family, in CPU time of one core: playing, drawing, encoding it."""

import os
import time

os.environ.setdefault("LP_NUM_THREADS", "0")  # Mesa's software renderer draws in this thread: nothing hides in others

import torch
from einops import rearrange

from lapa.doors import configs_dir
from lapa.video import encode_mp4
from sim_finetune.embodiment import embodiment_names, load_embodiment
from sim_finetune.episode import Jolts, Studio, film, make_env, play
from sim_finetune.library import load_library

EPISODES = 16
JOLTS = Jolts(chance=0.06, steps=4, size_m=0.04)  # as in configs/collect.yaml


def measure(spec, studio: Studio) -> tuple[int, int, float, float, float]:
    """(solved, steps, seconds of playing, drawing, encoding) of EPISODES episodes; a first one warms up."""
    env = make_env(spec, studio)
    film(env, play(env, JOLTS, seed=0))
    solved = steps = 0
    seconds = [0.0, 0.0, 0.0]
    for seed in range(1, EPISODES + 1):
        marks = [time.process_time()]
        episode = play(env, JOLTS, seed=seed)
        marks.append(time.process_time())
        frames = film(env, episode)["front"]
        marks.append(time.process_time())
        encode_mp4(rearrange(torch.from_numpy(frames), "t h w c -> t c h w"), fps=studio.control_hz)
        marks.append(time.process_time())
        seconds = [sum_ + end - start for sum_, start, end in zip(seconds, marks, marks[1:], strict=False)]
        solved, steps = solved + episode.solved, steps + len(episode.state)
    return solved, steps, *seconds


if __name__ == "__main__":
    torch.set_num_threads(1)
    heads = ("play", "draw", "mp4", "demos/s", "clips/s")
    print(f"{'body':8} {'family':16} {'solved':>7} {'steps':>6} " + " ".join(f"{head:>8}" for head in heads))
    for body in embodiment_names():
        studio = Studio(load_embodiment(body), 64, 10, ("front",), 60)
        for spec in load_library(configs_dir() / "task"):
            solved, steps, *seconds = measure(spec, studio)
            per_step = " ".join(f"{1e3 * value / steps:5.2f} ms" for value in seconds)
            rates = f"{EPISODES / sum(seconds):8.1f} {EPISODES / sum(seconds[:2]):8.1f}"
            print(f"{body:8} {spec.family:16} {solved:3}/{EPISODES:3} {steps / EPISODES:6.0f} {per_step} {rates}")
