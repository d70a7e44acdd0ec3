"""Speed of the environment beside bare MuJoCo on the same scene, a body a row; and how it grows with processes."""

import multiprocessing
import os
import time
from collections.abc import Callable

import gymnasium
import mujoco
import numpy as np
from rich.console import Console
from rich.table import Table

import sim_finetune.gym  # noqa: F401  registers the environments
from sim_finetune.embodiment import embodiment_names
from sim_finetune.env import TaskEnv
from sim_finetune.expert import Expert

STEPS, ROUNDS = 30, 9
SCALING_STEPS = 1500


def seconds(function: Callable[[], object]) -> float:
    """Least CPU time of this process over ROUNDS calls, after one that is not counted: others on the machine only add."""
    function()
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        function()
        taken.append(time.process_time() - start)
    return min(taken)


def make(body: str, *, pixels: bool) -> TaskEnv:
    """The reach task at 64 px and 10 Hz, started."""
    settings = {"image_px": 64, "control_hz": 10, "cameras": ["front"], "terminate_on_success": False}
    env = gymnasium.make(f"lapa/reach-{body}-v0", observe_pixels=pixels, max_steps=STEPS, **settings)
    env.reset(seed=1)
    return env.unwrapped  # type: ignore[return-value]


def bare(env: TaskEnv) -> None:
    """What any control step must do at least: its physics, and the picture if it is wanted."""
    for _ in range(STEPS):
        mujoco.mj_step(env.model, env.data, nstep=round(1 / env.control_hz / env.model.opt.timestep))
        if env.observe_pixels:
            env.render()


def episode(env: TaskEnv) -> None:
    env.reset(seed=1)
    expert = Expert(env, noise=0.0, rng=np.random.default_rng(0))
    for _ in range(STEPS):
        env.step(expert.act())


def row(body: str) -> list[str]:
    """Control steps/s bare and through the environment, without and with a picture, and what a demonstration takes."""
    cells = [body]
    for pixels in (False, True):
        env = make(body, pixels=pixels)
        hold = env.target()
        least, ours = seconds(lambda: bare(env)), seconds(lambda: [env.step(hold) for _ in range(STEPS)])  # noqa: B023
        cells += [f"{STEPS / least:,.0f}", f"{STEPS / ours:,.0f}", f"{least / ours:.0%}"]
    env.reset(seed=1)
    expert = Expert(env, noise=0.0, rng=np.random.default_rng(0))
    acts = STEPS / seconds(lambda: [expert.act() for _ in range(STEPS)])
    return [*cells, f"{acts:,.0f}", f"{seconds(lambda: episode(env)) * 1e3:.0f}"]


def work(start: "multiprocessing.synchronize.Barrier", speeds: "multiprocessing.SimpleQueue") -> None:
    """One process's control steps/s with pictures, by the clock, while the others work too."""
    env = make("panda", pixels=True)
    hold = env.target()
    env.step(hold)
    start.wait()
    begin = time.perf_counter()
    for _ in range(SCALING_STEPS):
        env.step(hold)
    speeds.put(SCALING_STEPS / (time.perf_counter() - begin))


def together(processes: int) -> float:
    """Control steps/s of so many processes, summed."""
    context = multiprocessing.get_context("spawn")
    start, speeds = context.Barrier(processes), context.SimpleQueue()
    workers = [context.Process(target=work, args=(start, speeds)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    total = sum(speeds.get() for _ in workers)
    for worker in workers:
        worker.join()
    return total


def main() -> None:
    title = f"reach at 10 Hz, 64 px: control steps/s of one process; MuJoCo {mujoco.__version__}"
    table = Table(title=title, caption="share: of what bare mj_step (and render) reaches on the same scene")
    columns = ("body", "bare", "env", "share", "bare, picture", "env, picture", "share", "expert acts/s", "episode ms")
    for column in columns:
        table.add_column(column, justify="right")
    for body in embodiment_names():
        table.add_row(*row(body))
    Console(width=110).print(table)
    alone, pair = together(1), together(2)
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    print(f"panda with pictures by the clock: {alone:,.0f} steps/s alone, {pair:,.0f} by two processes ({load})")


if __name__ == "__main__":
    main()
