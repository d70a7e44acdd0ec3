"""One object of each kind alone on a table, for the tests of sim_finetune/objects."""

from typing import Any

import mujoco
import numpy as np
from pydantic import TypeAdapter

from sim_finetune.objects import AnyObject
from sim_finetune.objects.base import Articulated
from sim_finetune.scene import TABLE_M, TIMESTEP_S

PLACED = {"name": "it", "colour": "green", "region_m": [0, 0, 0, 0], "yaw_range_rad": [0, 0]}
TURNS = {"travel_rad": 1.5, "damping": 0.05}
BOX_SLOT = {"shape": "box", "half_extents_m": [0.02, 0.03], "slack_m": 0.002}
ELL_SLOT = {"shape": "ell", "half_extents_m": [0.03, 0.035], "slack_m": 0.002}
PEG_SLOT = {"shape": "box", "half_extents_m": [0.012, 0.012], "slack_m": 0.002}
CASES: dict[str, dict[str, Any]] = {
    "block": {"half_extents_m": [0.02, 0.03, 0.04]},
    "bowl": {"size_m": [0.07, 0.025]},
    "button": {"half_extents_m": [0.035, 0.035, 0.02], "travel_m": 0.012, "damping": 2.0},
    "cabinet": {"half_extents_m": [0.07, 0.06, 0.05], **TURNS},
    "capsule": {"size_m": [0.018, 0.03]},
    "container": {"half_extents_m": [0.07, 0.06, 0.03]},
    "corner": {"half_extents_m": [0.05, 0.06]},
    "cylinder": {"size_m": [0.025, 0.03]},
    "drawer": {"half_extents_m": [0.08, 0.06, 0.04], "travel_m": 0.1},
    "ell": {"half_extents_m": [0.03, 0.035, 0.015]},
    "faucet": {"half_extents_m": [0.03, 0.03, 0.03], "length_m": 0.08, **TURNS},
    "fixture": {"half_extents_m": [0.06, 0.06, 0.006], "slot": ELL_SLOT},
    "hinge_door": {"half_extents_m": [0.1, 0.02, 0.06], **TURNS},
    "kit": {"half_extents_m": [0.05, 0.15, 0.006], "slots": [BOX_SLOT, ELL_SLOT, PEG_SLOT]},
    "knob": {"half_extents_m": [0.035, 0.035, 0.015], **TURNS},
    "laptop": {"half_extents_m": [0.07, 0.05, 0.008], **TURNS},
    "lever": {"half_extents_m": [0.03, 0.04, 0.015], "length_m": 0.1, "travel_rad": 1.0, "damping": 0.02},
    "lidded_box": {"half_extents_m": [0.06, 0.06, 0.03], **TURNS},
    "line": {"half_extents_m": [0.005, 0.06]},
    "microwave": {"half_extents_m": [0.08, 0.06, 0.05], **TURNS},
    "pallet": {"half_extents_m": [0.06, 0.06, 0.012]},
    "peg": {"size_m": [0.012, 0.04]},
    "pile": {"count": 20, "grain_m": 0.008},
    "post": {"size_m": [0.04, 0.01, 0.025]},
    "ring": {"size_m": [0.035, 0.008]},
    "rope": {"size_m": [0.008, 0.2]},
    "sphere": {"size_m": [0.025]},
    "square": {"half_extents_m": [0.05, 0.06]},
    "stand": {"half_extents_m": [0.05, 0.05, 0.02]},
    "switch": {"half_extents_m": [0.03, 0.03, 0.012], "travel_rad": 1.0, "damping": 0.01},
    "window": {"half_extents_m": [0.09, 0.02, 0.05], "travel_m": 0.06, "damping": 1.0},
    "zone": {"half_extents_m": [0.05, 0.06]},
}


def make(kind: str, **changes: Any) -> Any:
    """The object of `kind` with its sizes here."""
    return TypeAdapter(AnyObject).validate_python({"kind": kind, **PLACED, **CASES[kind], **changes})


def on_table(*things: Any, drop_m: float | None = None) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """Things at the origin of a table, as a reset puts them; drop_m: with a free cube "drop" of that half extent."""
    scene = mujoco.MjSpec()
    scene.option.timestep, scene.option.impratio = TIMESTEP_S, 10.0
    scene.option.integrator, scene.option.cone = mujoco.mjtIntegrator.mjINT_IMPLICITFAST, mujoco.mjtCone.mjCONE_ELLIPTIC
    plane = mujoco.mjtGeom.mjGEOM_PLANE
    scene.worldbody.add_geom(name="table", type=plane, size=[*TABLE_M, 0.1], friction=[0.8, 0.01, 0.0002])
    for thing in things:
        thing.add_to(scene)
    if drop_m:
        body = scene.worldbody.add_body(name="drop")
        body.add_freejoint(name="drop")
        body.add_geom(name="drop", type=mujoco.mjtGeom.mjGEOM_BOX, size=[drop_m] * 3, density=400)
    model = scene.compile()
    data = mujoco.MjData(model)
    for thing in things:
        mocap = model.body(thing.name).mocapid[0]
        pose = data.joint(thing.name).qpos if mocap < 0 else data.mocap_pos[mocap]
        pose[:3] = [0, 0, thing.rest_height_m]
    mujoco.mj_forward(model, data)
    return model, data


def run(model: mujoco.MjModel, data: mujoco.MjData, seconds: float) -> None:
    """Physics alone, then fresh positions."""
    mujoco.mj_step(model, data, nstep=round(seconds / model.opt.timestep))
    mujoco.mj_forward(model, data)


def depth_m(data: mujoco.MjData) -> float:
    """How deep the deepest contact sinks in."""
    return max((-float(contact.dist) for contact in data.contact), default=0.0)


def fraction(thing: Articulated, data: mujoco.MjData) -> float:
    """Where the joint stands in its range."""
    low, high = thing.joint_range
    return float((data.joint(thing.joint_name).qpos[0] - low) / (high - low))


def push(thing: Articulated, model: mujoco.MjModel, data: mujoco.MjData, force_n: float, seconds: float) -> None:
    """Push the handle the way it opens with a force (negative: shut), or turn it with force_n · 5 cm, then let go."""
    site = data.site(f"{thing.name}/handle")
    body = model.site_bodyid[site.id]
    turns = thing.motion == "turn"
    for _ in range(round(seconds / model.opt.timestep)):
        data.qfrc_applied[:] = 0
        force = force_n * site.xmat.reshape(3, 3)[:, 0 if thing.kind == "drawer" else 1]
        torque = np.array([0, 0, -0.05 * force_n]) if turns else np.zeros(3)
        mujoco.mj_applyFT(model, data, np.zeros(3) if turns else force, torque, site.xpos, body, data.qfrc_applied)
        mujoco.mj_step(model, data)
    data.qfrc_applied[:] = 0
    mujoco.mj_forward(model, data)
