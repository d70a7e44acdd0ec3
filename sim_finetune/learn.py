"""A task and a body in, a player out that learnt it by reinforcement (stable-baselines3: the extra `rl`)."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Float32

from lapa.records import ActionChunk
from sim_finetune.control import limits
from sim_finetune.env import TaskEnv
from sim_finetune.episode import Studio, make_env
from sim_finetune.foresight import closeness
from sim_finetune.solvers import solver_for
from sim_finetune.spec import TaskSpec

ALGORITHMS = ("PPO", "SAC")  # of stable-baselines3, for actions that are numbers
MOVES = 5  # of the tool: along x, y, z, about the vertical; and of the opening
DM = 10.0  # in a metre: distances are then numbers near 1, as joints and axes are
MISSING = "stable-baselines3 is not installed: pip install 'lapa[rl]'"


def observe(env: TaskEnv) -> Float32[np.ndarray, "o"]:
    """All that a state tells: joints and opening; of each object, where it is from the tool [dm], its axes, its joint."""
    view, tool = env.view, env.view.site(env.view.tool)
    parts = [env.state(), tool * DM]
    for thing in env.task_spec.objects:
        parts += [(view.centre(thing.name) - tool) * DM, view.axes(thing.name)[:, :2].ravel()]
        if hasattr(thing, "joint_name"):
            parts.append(np.array([view.fraction(thing.name)]))
    return np.concatenate(parts).astype(np.float32)


def move(env: TaskEnv, moves: Float32[np.ndarray, "5"], step_m: float, step_rad: float) -> Float32[np.ndarray, "d"]:
    """The action that moves the tool's set point by `moves` in [-1, 1] of a step; the last is the opening, -1 shut."""
    solver, target = solver_for(env.embodiment), env.target()
    tool, yaw = solver.forward(target[:-1])
    joints = solver.solve(target[:-1], tool + step_m * moves[:3], yaw + step_rad * moves[3])
    return np.clip(np.append(joints, (moves[4] + 1) / 2), *limits(env.wiring)).astype(np.float32)


class Lessons(gymnasium.Wrapper):
    """A task as a learner meets it: numbers in, tool moves out, the task's own reward plus `approach` · closeness."""

    def __init__(self, env: TaskEnv, *, step_m: float, step_rad: float, approach: float):
        super().__init__(env)
        self._task, self._steps, self._approach = env, {"step_m": step_m, "step_rad": step_rad}, approach
        env.reset(seed=0)
        self.observation_space = spaces.Box(-np.inf, np.inf, observe(env).shape, np.float32)
        self.action_space = spaces.Box(-1, 1, (MOVES,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        """Begin an episode of the task."""
        _, info = self._task.reset(seed=seed)
        return observe(self._task), info

    def step(self, action: Float32[np.ndarray, "5"]) -> tuple[np.ndarray, float, bool, bool, dict]:
        """One control period. Success ends nothing: an end would cost the rewards after it, so none would be wanted."""
        env = self._task
        _, gain, _, over, info = env.step(move(env, action, **self._steps))
        gain += self._approach * closeness(env.task_spec, env.stage.done, env.view)
        return observe(env), gain, False, over, info


class Learner:
    """Learns each task anew, then plays it without chance.

    algorithm: one of ALGORITHMS; settings: its own keywords; total_steps: control periods of training;
    step_m, step_rad: the largest move of the tool in a control period; approach: weight of closeness; seed: of all chance.
    """

    def __init__(
        self,
        *,
        algorithm: str,
        settings: Mapping[str, Any],
        total_steps: int,
        step_m: float,
        step_rad: float,
        approach: float,
        seed: int,
    ):
        if algorithm not in ALGORITHMS:
            raise ValueError(f"no algorithm {algorithm!r}; there are {list(ALGORITHMS)}")
        self._algorithm, self._settings, self._total_steps = algorithm, dict(settings), total_steps
        self._steps, self._approach, self._seed = {"step_m": step_m, "step_rad": step_rad}, approach, seed
        self.hash, self.simulated_steps = algorithm.lower(), 0

    def begin(self, spec: TaskSpec, studio: Studio, *, threads: int) -> None:
        """Train, on one thread; `threads` is for searches. ValueError when stable-baselines3 is not there."""
        try:
            algorithms = importlib.import_module("stable_baselines3")
        except ImportError as error:
            raise ValueError(MISSING) from error
        torch.set_num_threads(1)  # sums in the same order, whatever num_workers is
        lessons = Lessons(make_env(spec, studio), **self._steps, approach=self._approach)
        make = getattr(algorithms, self._algorithm)
        self._model = make("MlpPolicy", lessons, seed=self._seed, device="cpu", **self._settings)
        self._model.learn(self._total_steps)
        self.simulated_steps = self._model.num_timesteps

    def act_envs(self, envs: Sequence[TaskEnv]) -> list[ActionChunk]:
        """One step each, the policy's most likely one."""
        return [ActionChunk(torch.from_numpy(self._act(env))[None]) for env in envs]

    def _act(self, env: TaskEnv) -> Float32[np.ndarray, "d"]:
        moves, _ = self._model.predict(observe(env), deterministic=True)
        return move(env, moves, **self._steps)
