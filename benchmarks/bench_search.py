"""Looking ahead once (samples × horizon control periods): share of bare `mj_step` on the same scene, one thread.

    python benchmarks/bench_search.py [task …]

CPU time, so that what else the machine does matters less; the best of REPEATS.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import mujoco
import numpy as np

from lapa.doors import configs_dir
from sim_finetune.foresight import rewards_ahead
from sim_finetune.gym import make_task
from sim_finetune.many import on_threads
from sim_finetune.solvers import solver_for

BODY, SAMPLES, HORIZON, KNOTS, REPEATS = "panda", 32, 12, 3, 3


def best_s(function: Callable[[], object]) -> float:
    """CPU seconds of the fastest of REPEATS calls."""
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        function()
        times.append(time.process_time() - started)
    return min(times)


def bench(task: Path) -> None:
    """Print a line for a task."""
    env = make_task(task=str(task), embodiment=BODY, observe_pixels=False)
    env.reset(seed=0)
    start, target, rng = env.get_physics(), env.target(), np.random.default_rng(0)
    actions = target + np.cumsum(rng.normal(0, 0.05, (SAMPLES, HORIZON, len(target))), axis=1)
    moments = np.tile(start, (SAMPLES, 1))
    after, solver = on_threads(env, moments, actions, threads=1), solver_for(env.embodiment)
    tool, yaw = solver.forward(target[:-1])
    steps = SAMPLES * HORIZON * round(1 / env.control_hz / env.model.opt.timestep)
    points = tool + rng.normal(0, 0.06, (SAMPLES * KNOTS, 3))
    bare = best_s(lambda: mujoco.mj_step(env.model, env.data, nstep=steps))
    env.set_physics(start)
    rolled = best_s(lambda: on_threads(env, moments, actions, threads=1))
    judged = best_s(lambda: rewards_ahead(env, after, approach=0.3))
    solved = best_s(lambda: [solver.solve(target[:-1], point, yaw) for point in points])
    share = bare / (rolled + judged + solved)
    parts = f"rollouts {rolled * 1e3:.0f} ms, rewards {judged * 1e3:.0f} ms, kinematics {solved * 1e3:.0f} ms"
    print(f"{task.stem:16} mj_step {bare * 1e3:.0f} ms; {parts}: {share:.0%} of bare")


if __name__ == "__main__":
    for name in sys.argv[1:] or ["reach", "push_to_zone", "open_drawer", "press_button"]:
        bench(configs_dir() / "task" / f"{name}.yaml")
