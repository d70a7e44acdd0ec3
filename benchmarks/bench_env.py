"""Speed of the environment beside bare MuJoCo on the same scene, a task and a body a row; and with a second process."""

import multiprocessing
import multiprocessing.queues
import multiprocessing.synchronize
import os
import time
from statistics import median

import gymnasium
import mujoco
import numpy as np
from timing import in_turn, markdown, share

import sim_finetune.gym  # noqa: F401  registers the environments
from sim_finetune.embodiment import embodiment_names
from sim_finetune.env import TaskEnv
from sim_finetune.expert import Expert

STEPS, ROUNDS = 30, 9
OTHER_TASKS = ("put_block_in_drawer", "build_tower", "sort_by_colour")  # goals of several statements
SCALING_STEPS, SCALING_ROUNDS = 600, 3


def make(task: str, body: str, *, pixels: bool) -> TaskEnv:
    """A task at 64 px and 10 Hz, started."""
    settings = {"image_px": 64, "control_hz": 10, "cameras": ["front"], "terminate_on_success": False}
    env = gymnasium.make(f"lapa/{task}-{body}-v0", observe_pixels=pixels, max_steps=STEPS, **settings)
    env.reset(seed=1)
    return env.unwrapped  # type: ignore[return-value]


def bare(env: TaskEnv) -> None:
    """What any control step must do at least: its physics, and the picture if it is wanted."""
    for _ in range(STEPS):
        mujoco.mj_step(env.model, env.data, nstep=round(1 / env.control_hz / env.model.opt.timestep))
        if env.observe_pixels:
            env.render()


def row(task: str, body: str) -> list[str]:
    """Control steps/s bare and through the environment, without and with a picture, and how often the expert can act."""
    cells = [task, body]
    for pixels in (False, True):
        env = make(task, body, pixels=pixels)
        hold = env.target()
        taken = in_turn([lambda: bare(env), lambda: [env.step(hold) for _ in range(STEPS)]], ROUNDS)  # noqa: B023
        cells += [f"{STEPS / seconds:,.0f}" for seconds in np.median(taken, axis=0)] + [share(taken, 0, 1)]
    expert = Expert(env, noise=0.0, rng=np.random.default_rng(0))
    acts = in_turn([lambda: [expert.act() for _ in range(STEPS)]], ROUNDS)
    return [*cells, f"{STEPS / np.median(acts):,.0f}"]


def work(start: multiprocessing.synchronize.Barrier, speeds: "multiprocessing.queues.SimpleQueue[float]") -> None:
    """One process's control steps/s with pictures, by the clock, while the others work too."""
    env = make("reach", "panda", pixels=True)
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
    print(f"\nControl steps/s of one process at 10 Hz, 64 px, medians of {ROUNDS}; MuJoCo {mujoco.__version__}\n")
    rows = [("reach", body) for body in embodiment_names()] + [(task, "panda") for task in OTHER_TASKS]
    head = ["task", "body", "mj_step", "env", "share", "mj_step, render", "env, picture", "share", "expert acts/s"]
    print(markdown(head, [row(*one) for one in rows]))
    pairs = [(together(1), together(2)) for _ in range(SCALING_ROUNDS)]
    alone, both = (median(speeds) for speeds in zip(*pairs, strict=True))
    gain = median(two / one for one, two in pairs)
    print(
        f"\nreach, panda, pictures, by the clock: {alone:,.0f} steps/s in one process, {both:,.0f} in two: {gain:.2f} ×"
    )
    print(f"(load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)")


if __name__ == "__main__":
    main()
