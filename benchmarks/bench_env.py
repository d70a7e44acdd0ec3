"""Speed of the environment beside bare MuJoCo, a body a row: physics steps/s, expert acts/s, pictures/s, episodes."""

import time
from collections.abc import Callable

import mujoco
import numpy as np
from rich.console import Console
from rich.table import Table

from lapa.doors import configs_dir
from sim_finetune.control import SEGMENTS
from sim_finetune.embodiment import embodiment_names, load_embodiment
from sim_finetune.env import TaskEnv
from sim_finetune.expert import Expert
from sim_finetune.library import load_task

STEPS, ROUNDS = 30, 9


def seconds(function: Callable[[], object]) -> float:
    """Median CPU time of this process over ROUNDS calls, after one that is not counted."""
    function()
    taken = []
    for _ in range(ROUNDS):
        start = time.process_time()
        function()
        taken.append(time.process_time() - start)
    return float(np.median(taken))


def episode(env: TaskEnv) -> None:
    env.reset(seed=1)
    expert = Expert(env, noise=0.0, rng=np.random.default_rng(0))
    for _ in range(STEPS):
        env.step(expert.act())


def row(body: str) -> list[str]:
    """Figures of one body on the reach task at 64 px and 10 Hz."""
    env = TaskEnv(
        spec=load_task(configs_dir() / "task" / "reach.yaml"),
        embodiment=load_embodiment(body),
        image_px=64,
        control_hz=10,
        cameras=["front"],
        max_steps=STEPS,
        observe_pixels=True,
        terminate_on_success=False,
    )
    whole = seconds(lambda: episode(env))
    env.observe_pixels = False
    blind = seconds(lambda: episode(env))
    expert, hold = Expert(env, noise=0.0, rng=np.random.default_rng(0)), env.target()
    physics = STEPS * SEGMENTS * round(1 / env.control_hz / env.model.opt.timestep / SEGMENTS)
    stepped = physics / seconds(lambda: [env.step(hold) for _ in range(STEPS)])
    bare = physics / seconds(lambda: [mujoco.mj_step(env.model, env.data) for _ in range(physics)])
    acts = STEPS / seconds(lambda: [expert.act() for _ in range(STEPS)])
    drawn = STEPS / seconds(lambda: [env.render() for _ in range(STEPS)])
    return [
        body,
        f"{bare:,.0f}",
        f"{stepped:,.0f}",
        f"{acts:,.0f}",
        f"{drawn:,.0f}",
        f"{blind * 1e3:.0f}",
        f"{whole * 1e3:.0f}",
    ]


def main() -> None:
    table = Table(title=f"reach, {STEPS} control steps at 10 Hz, 64 px; MuJoCo {mujoco.__version__}")
    for column in (
        "body",
        "mj_step/s",
        "env physics steps/s",
        "expert acts/s",
        "pictures/s",
        "episode ms, blind",
        "with pixels",
    ):
        table.add_column(column, justify="right")
    for body in embodiment_names():
        table.add_row(*row(body))
    Console().print(table)


if __name__ == "__main__":
    main()
