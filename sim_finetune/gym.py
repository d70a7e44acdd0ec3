"""Tasks and bodies in, gymnasium's own `make` and `make_vec` out; importing this registers all that configs/ holds.

    import gymnasium, sim_finetune.gym
    env = gymnasium.make("lapa/reach-panda-v0")  # or, without the import, make("sim_finetune.gym:lapa/reach-panda-v0")

The id is `lapa/<file name of the task>-<body>-v0`. Keywords of `make` replace what configs/studio/default.yaml says of
a TaskEnv (image_px, control_hz, cameras, max_steps); `observe_pixels=False` leaves only numbers, for fast training.
"""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from omegaconf import OmegaConf

from lapa.doors import configs_dir
from sim_finetune.embodiment import embodiment_names, load_embodiment
from sim_finetune.env import TaskEnv
from sim_finetune.library import load_task, task_paths


def env_id(task: str, body: str) -> str:
    """What to give `gymnasium.make`."""
    return f"lapa/{task}-{body}-v0"


def make_task(*, task: str, embodiment: str, **changes: Any) -> TaskEnv:
    """The environment of a task file and a body; `changes` are TaskEnv's own keywords."""
    studio: dict[str, Any] = OmegaConf.to_container(OmegaConf.load(configs_dir() / "studio" / "default.yaml"))  # type: ignore[assignment]
    settings = studio | {"observe_pixels": True, "terminate_on_success": True} | changes
    return TaskEnv(spec=load_task(Path(task)), embodiment=load_embodiment(embodiment), **settings)


def register_tasks(folder: Path, bodies: list[str]) -> list[str]:
    """Register each task file of a folder (also a library that `lapa propose` made) with each body; returns the ids.

    A body is a name of configs/embodiment or the path of a yaml. A file is read when an environment is made of it.
    """
    ids = []
    for path in task_paths(Path(folder)):
        for body in bodies:
            ids.append(env_id(path.stem, Path(body).stem))
            kwargs = {"task": str(path.resolve()), "embodiment": body}
            gymnasium.register(id=ids[-1], entry_point="sim_finetune.gym:make_task", kwargs=kwargs)
    return ids


class FlatPixels(gymnasium.ObservationWrapper, RecordConstructorArgs):
    """Cameras beside "agent_pos" instead of under "pixels", for libraries that take no dictionary in a dictionary."""

    def __init__(self, env: gymnasium.Env):
        RecordConstructorArgs.__init__(self)
        gymnasium.ObservationWrapper.__init__(self, env)
        self.observation_space = spaces.Dict(_flat(dict(env.observation_space)))  # type: ignore[call-overload]

    def observation(self, observation: dict[str, Any]) -> dict[str, np.ndarray]:
        """{camera: UInt8[h w 3], "agent_pos": Float32[d]}"""
        return _flat(observation)


class ObjectStates(gymnasium.ObservationWrapper, RecordConstructorArgs):
    """The truth about the objects as "environment_state", for learners that are given no pictures.

    Tool position [m], joint positions of the scene that are not the robot's (poses of free objects [m, quaternion],
    openings [m or rad]), then places and quaternions of the fixed objects.
    """

    def __init__(self, env: gymnasium.Env):
        RecordConstructorArgs.__init__(self)
        gymnasium.ObservationWrapper.__init__(self, env)
        inner = self._inner()
        own = [*inner.wiring.qpos, *inner.wiring.finger_qpos]
        self._scene = np.setdiff1d(np.arange(inner.model.nq), own)
        parts = dict(env.observation_space)  # type: ignore[call-overload]
        parts["environment_state"] = spaces.Box(-np.inf, np.inf, self._state().shape, np.float32)
        self.observation_space = spaces.Dict(parts)

    def _inner(self) -> TaskEnv:
        assert isinstance(self.unwrapped, TaskEnv)
        return self.unwrapped

    def _state(self) -> np.ndarray:
        data, view = self._inner().data, self._inner().view
        fixed = [data.mocap_pos.ravel(), data.mocap_quat.ravel()]
        return np.concatenate([view.site(view.tool), data.qpos[self._scene], *fixed]).astype(np.float32)

    def observation(self, observation: dict[str, Any]) -> dict[str, Any]:
        """What the environment gives, and "environment_state" Float32[e]."""
        return {**observation, "environment_state": self._state()}


def _flat(observed: dict[str, Any]) -> dict[str, Any]:
    return {"agent_pos": observed["agent_pos"], **dict(observed.get("pixels", {}))}


register_tasks(configs_dir() / "task", embodiment_names())
