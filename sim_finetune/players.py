"""Running environments in, action chunks out: a learnt policy, or for comparison the expert, random actions, none."""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable
from weakref import WeakKeyDictionary

import numpy as np
import torch
from einops import rearrange

from lapa.records import ActionChunk, Observation
from sim_finetune.control import limits
from sim_finetune.env import TaskEnv
from sim_finetune.episode import Studio
from sim_finetune.expert import Expert


class Player(Protocol):
    """Gives a chunk for each of several running environments at once. hash: says who it is in a result."""

    hash: str

    def act_envs(self, envs: Sequence[TaskEnv]) -> list[ActionChunk]:
        """What to do next in each environment."""


@runtime_checkable
class Particular(Protocol):
    """A player that was made for one robot."""

    def preflight(self, robot: Mapping[str, Any]) -> None:
        """ValueError with every difference between what it was made for and `robot` (see `robot_facts`)."""


def robot_facts(studio: Studio, *, execute_steps: int) -> dict[str, Any]:
    """What a policy is held against before a rollout, by the manifests' keys. state: the pose an episode starts near."""
    body = studio.embodiment
    names = {"state_names": body.state_names, "action_names": body.action_names}
    eyes = {"cameras": list(studio.cameras), "image_px": studio.image_px, "fps": studio.control_hz}
    return {"embodiment": body.name, **names, **eyes, "state": [*body.home, 1.0], "execute_steps": execute_steps}


def observe(env: TaskEnv) -> Observation:
    """What a policy may know: the pictures now (uint8, channels first), the words, the joints."""
    pictures = {camera: torch.from_numpy(env.draw(camera)) for camera in env.cameras}
    images = {camera: rearrange(picture, "h w c -> c h w").contiguous() for camera, picture in pictures.items()}
    return Observation(images, env.task_description, torch.from_numpy(env.state()))


class Learnt:
    """A policy with `act_batch(list[Observation]) -> list[ActionChunk]`, `hash`, `embodiment` and `preflight(robot)`:
    one of this process, or one behind a server.
    """

    def __init__(self, *, policy: Any):
        self.policy, self.hash = policy, policy.hash

    def preflight(self, robot: Mapping[str, Any]) -> None:
        """The policy's own."""
        self.policy.preflight(robot)

    def act_envs(self, envs: Sequence[TaskEnv]) -> list[ActionChunk]:
        """One forward pass for all; ValueError when the policy was trained for another body."""
        for env in envs:
            if env.embodiment.name != self.policy.embodiment:
                raise ValueError(
                    f"the policy moves {self.policy.embodiment!r}; this environment has {env.embodiment.name!r}"
                )
        return self.policy.act_batch([observe(env) for env in envs])


class Oracle:
    """The scripted expert: what the body could do."""

    hash = "expert"

    def __init__(self) -> None:
        self._experts: WeakKeyDictionary[TaskEnv, Expert] = WeakKeyDictionary()

    def act_envs(self, envs: Sequence[TaskEnv]) -> list[ActionChunk]:
        """One step each; an environment that is new here starts its plan."""
        for env in envs:
            if env not in self._experts:
                self._experts[env] = Expert(env, noise=0.0, rng=np.random.default_rng(0))
        return [_chunk(self._experts[env].act()) for env in envs]


class Random:
    """Uniform over the joint targets that the body can reach in one step: what success is worth by luck.

    Drawn from the seed and the state of the world, so that neither the episodes played before nor a kill change it.
    """

    hash = "random"

    def __init__(self, *, seed: int):
        self._seed = seed

    def act_envs(self, envs: Sequence[TaskEnv]) -> list[ActionChunk]:
        """One step each, within the joints' limits and speeds."""
        return [_chunk(self._draw(env)) for env in envs]

    def _draw(self, env: TaskEnv) -> np.ndarray:
        low, high = limits(env.wiring)
        reach = np.append(np.array(env.embodiment.max_speed) / env.control_hz, 1.0)  # the gripper in one step
        rng = np.random.default_rng([self._seed, zlib.crc32(env.get_physics().tobytes())])
        return np.clip(env.target() + rng.uniform(-reach, reach), low, high)


class Still:
    """Stays where it is: catches tasks that solve themselves."""

    hash = "still"

    def act_envs(self, envs: Sequence[TaskEnv]) -> list[ActionChunk]:
        """The targets that the joints follow already."""
        return [_chunk(env.target()) for env in envs]


def _chunk(action: np.ndarray) -> ActionChunk:
    return ActionChunk(torch.from_numpy(np.asarray(action, np.float32))[None])
