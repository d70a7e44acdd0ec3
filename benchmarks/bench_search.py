"""Looking ahead once (samples × horizon control periods): share of bare `mj_step` on the same scene, one thread.

    python benchmarks/bench_search.py [task …]

CPU time, in turn with the bare physics, so that what else the machine does matters less.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np
from timing import in_turn, markdown

from lapa.doors import configs_dir
from sim_finetune.foresight import rewards_ahead
from sim_finetune.gym import make_task
from sim_finetune.many import on_threads
from sim_finetune.solvers import solver_for

BODY, SAMPLES, HORIZON, KNOTS, ROUNDS = "panda", 32, 12, 3, 5


def row(task: Path) -> list[str]:
    """Milliseconds of bare physics and of the three parts of a look ahead, and the share of the former."""
    env = make_task(task=str(task), embodiment=BODY, observe_pixels=False)
    env.reset(seed=0)
    start, target, rng = env.get_physics(), env.target(), np.random.default_rng(0)
    actions = target + np.cumsum(rng.normal(0, 0.05, (SAMPLES, HORIZON, len(target))), axis=1)
    moments = np.tile(start, (SAMPLES, 1))
    after, solver = on_threads(env, moments, actions, threads=1), solver_for(env.embodiment)
    tool, yaw = solver.forward(target[:-1])
    steps = SAMPLES * HORIZON * round(1 / env.control_hz / env.model.opt.timestep)
    points = tool + rng.normal(0, 0.06, (SAMPLES * KNOTS, 3))
    parts: list[Callable[[], object]] = [
        lambda: mujoco.mj_step(env.model, env.data, nstep=steps),
        lambda: env.set_physics(start),
        lambda: on_threads(env, moments, actions, threads=1),
        lambda: rewards_ahead(env, after, approach=0.3),
        lambda: [solver.solve(target[:-1], point, yaw) for point in points],
    ]
    taken = in_turn(parts, ROUNDS)
    bare, _, *ours = np.median(taken, axis=0)
    whole = np.median(taken[:, 0] / taken[:, 2:].sum(axis=1))
    return [task.stem, f"{1e3 * bare:.0f}", *(f"{1e3 * part:.0f}" for part in ours), f"{whole:.0%}"]


if __name__ == "__main__":
    names = sys.argv[1:] or ["reach", "push_to_zone", "open_drawer", "press_button"]
    print(f"\nLooking ahead once, {SAMPLES} futures of {HORIZON} control steps, {BODY}, CPU ms, medians of {ROUNDS}\n")
    head = ["task", "mj_step", "rollouts", "rewards", "kinematics", "share of mj_step"]
    print(markdown(head, [row(configs_dir() / "task" / f"{name}.yaml") for name in names]))
