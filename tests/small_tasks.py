"""Small tasks written by tests: objects, a goal, and whatever else a test is about."""

from typing import Any

import mujoco

from sim_finetune.arrange import place
from sim_finetune.embodiment import load_embodiment
from sim_finetune.env import TaskEnv
from sim_finetune.scene import compile_scene
from sim_finetune.spec import TaskSpec, read_spec

WIDE = [-0.15, -0.2, 0.15, 0.2]


def thing(name: str, kind: str = "block", half: float = 0.02, **fields: Any) -> dict[str, Any]:
    """An object as a spec writes it."""
    sizes = {"half_extents_m": [half] * 3, "colour": "red", "region_m": WIDE, "yaw_range_rad": [0, 0]}
    return {"kind": kind, "name": name, **sizes, **fields}


def small_task(*objects: dict[str, Any], **fields: Any) -> TaskSpec:
    """A task with these objects; its goal, unless it is given, is to go to the first."""
    goal = {"kind": "tool_near", "object": objects[0]["name"], "above_m": 0.02, "within_m": 0.03}
    basics = {"version": 1, "name": "small", "family": "small", "goal": goal, "hold_s": 0, "clearance_m": 0.01}
    return read_spec({**basics, "objects": objects, "instructions": ["do it"], **fields})


def small_env(spec: TaskSpec, **changes: Any) -> TaskEnv:
    """A hand, and no pictures."""
    settings: dict[str, Any] = {"image_px": 32, "control_hz": 10, "cameras": ["front"], "max_steps": 200}
    settings |= {"observe_pixels": False, "terminate_on_success": False, "look": None}
    return TaskEnv(spec=spec, embodiment=load_embodiment("hand"), **(settings | changes))


def placed(spec: TaskSpec, rng: Any) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """The task's scene with everything put down, before physics."""
    model = compile_scene(spec, load_embodiment("hand"))
    data = mujoco.MjData(model)
    place(spec, model, data, rng)
    mujoco.mj_forward(model, data)
    return model, data
