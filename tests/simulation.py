"""Helpers of the simulation's tests: the tasks and bodies that configs/ holds, and small environments of them."""

from typing import Any

from lapa.doors import configs_dir
from sim_finetune.embodiment import embodiment_names, load_embodiment
from sim_finetune.env import TaskEnv
from sim_finetune.library import load_task
from sim_finetune.spec import TaskSpec

TASKS = ["open_drawer", "pick_and_place", "push_to_zone", "reach"]  # those every body does within 60 steps
SEED_TASKS = sorted({path.stem for path in (configs_dir() / "task").glob("*.yaml")} - set(TASKS))
BODIES = embodiment_names()


def task(name: str) -> TaskSpec:
    """configs/task/NAME.yaml"""
    return load_task(configs_dir() / "task" / f"{name}.yaml")


def make_env(name: str = "reach", body: str = "hand", **changes: Any) -> TaskEnv:
    """An environment without pixels, unless `changes` say otherwise."""
    settings: dict[str, Any] = {
        "spec": task(name),
        "embodiment": load_embodiment(body),
        "image_px": 32,
        "control_hz": 10,
    }
    settings |= {
        "cameras": ["front"],
        "max_steps": 60,
        "observe_pixels": False,
        "terminate_on_success": False,
        "look": None,
    }
    return TaskEnv(**(settings | changes))
