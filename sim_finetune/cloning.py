"""Episodes of the oracle in, a player out that imitates them from where things are; to see whether a task can be learnt."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import nn

from lapa.records import ActionChunk
from sim_finetune.env import TaskEnv
from sim_finetune.episode import Episode

WIDTH, RATE = 128, 3e-3  # of the two hidden layers; of Adam at its beginning


def features(env: TaskEnv) -> Float32[np.ndarray, "f"]:
    """What the imitator may look at: joints, the tool [m], each object's middle from the tool [m], its axes, its joint."""
    tool, seen = env.view.site(env.view.tool), [env.state(), env.view.site(env.view.tool)]
    for thing in env.task_spec.objects:
        seen += [env.view.centre(thing.name) - tool, env.view.axes(thing.name)[:, 0]]
        if getattr(thing, "joint_name", None):
            seen.append(np.array([env.view.fraction(thing.name)]))
    return np.concatenate(seen).astype(np.float32)


class Clone:
    """A small network from features to how far each action is from where the joints are."""

    hash = "clone"

    def __init__(self, inputs: Float[np.ndarray, "n f"], moves: Float[np.ndarray, "n d"], *, steps: int, seed: int):
        torch.manual_seed(seed)
        self._norm = [_norm(inputs), _norm(moves)]
        hidden = [nn.Linear(inputs.shape[1], WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU()]
        self._net = nn.Sequential(*hidden, nn.Linear(WIDTH, moves.shape[1]))
        (low, scale), (mean, std) = self._norm
        self._fit(_tensor((inputs - low) / scale), _tensor((moves - mean) / std), steps)

    def _fit(self, inputs: torch.Tensor, moves: torch.Tensor, steps: int) -> None:
        optimiser = torch.optim.Adam(self._net.parameters(), RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for _ in range(steps):
            optimiser.zero_grad()
            nn.functional.l1_loss(self._net(inputs), moves).backward()
            optimiser.step()
            schedule.step()

    def act_envs(self, envs: Sequence[TaskEnv]) -> list[ActionChunk]:
        """One step each."""
        (low, scale), (mean, std) = self._norm
        with torch.inference_mode():
            moves = self._net(_tensor((np.stack([features(env) for env in envs]) - low) / scale)).numpy() * std + mean
        actions = [(env.state() + move).astype(np.float32) for env, move in zip(envs, moves, strict=True)]
        return [ActionChunk(torch.from_numpy(action)[None]) for action in actions]


def _norm(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return rows.mean(axis=0), rows.std(axis=0) + 1e-3  # what never changes in the demonstrations stays small


def _tensor(rows: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(rows.astype(np.float32))


def cloned(env: TaskEnv, episodes: Sequence[Episode], *, steps: int, seed: int) -> Clone:
    """The imitator of these episodes of the environment's task."""
    inputs = []
    for episode in episodes:
        for physics in episode.physics:
            env.set_physics(physics)
            inputs.append(features(env))
    moves = np.concatenate([episode.action - episode.state for episode in episodes])
    return Clone(np.stack(inputs), moves, steps=steps, seed=seed)
