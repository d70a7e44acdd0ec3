"""Many runs of one task at once, open loop; in: moments [n, p] and actions [n, t, d]; out: moments [n, t, p] after each.

A moment is what `TaskEnv.get_physics` gives. Two engines with one face: `on_threads` (MuJoCo on this machine's cores)
and `on_warp` (MuJoCo Warp, float32: thousands of worlds on a GPU; without one it runs, slowly, on the CPU).
"""

import importlib
from typing import Any

import mujoco
import numpy as np
from jaxtyping import Float
from mujoco import rollout

from sim_finetune.control import SEGMENTS, way_to
from sim_finetune.env import FULL_STATE, TaskEnv

STATE = mujoco.mjtState
INPUTS = (STATE.mjSTATE_CTRL, STATE.mjSTATE_MOCAP_POS, STATE.mjSTATE_MOCAP_QUAT)  # what a step takes from outside


def columns(model: mujoco.MjModel, signature: int) -> np.ndarray:
    """Where the parts of a state that `signature` names lie in a moment (MuJoCo lays them out in the order of bits)."""
    bits = [1 << bit for bit in range(int(STATE.mjNSTATE)) if int(FULL_STATE) >> bit & 1]
    sizes = [mujoco.mj_stateSize(model, bit) for bit in bits]
    ends = np.cumsum(sizes)
    parts = [np.arange(end - size, end) for bit, size, end in zip(bits, sizes, ends, strict=True) if bit & signature]
    return np.concatenate(parts)


def set_points(
    env: TaskEnv, moments: Float[np.ndarray, "n p"], actions: Float[np.ndarray, "n t d"]
) -> Float[np.ndarray, "n s u"]:
    """Every actuator's set point at every physics step of the runs, as `control.drive` moves them."""
    steps = round(1 / env.control_hz / env.model.opt.timestep / SEGMENTS)
    now, rows = moments[:, columns(env.model, STATE.mjSTATE_CTRL)].copy(), []
    where = env.wiring.set_points
    for action in actions.swapaxes(0, 1):
        start = now[:, where]
        way = way_to(start, env.wiring, action, 1 / env.control_hz)
        for segment in range(1, SEGMENTS + 1):
            now[:, where] = start + segment / SEGMENTS * way
            rows += [now.copy()] * steps
    return np.stack(rows, axis=1)


def on_threads(
    env: TaskEnv, moments: Float[np.ndarray, "n p"], actions: Float[np.ndarray, "n t d"], *, threads: int
) -> Float[np.ndarray, "n t p"]:
    """The runs by `mujoco.rollout`; equal to stepping the environment, to the bit."""
    model, ctrl = env.model, set_points(env, moments, actions)
    held = moments[:, None, columns(model, int(INPUTS[1] | INPUTS[2]))]
    inputs = np.concatenate([ctrl, np.repeat(held, ctrl.shape[1], axis=1)], axis=2)
    physics = columns(model, STATE.mjSTATE_FULLPHYSICS)
    data = [mujoco.MjData(model) for _ in range(threads)]
    spec = int(INPUTS[0] | INPUTS[1] | INPUTS[2])
    warm = moments[:, columns(model, STATE.mjSTATE_WARMSTART)]
    states, _ = rollout.rollout(model, data, moments[:, physics], inputs, control_spec=spec, initial_warmstart=warm)
    after = _after(moments, ctrl, model, actions.shape[1])
    after[..., physics] = states[:, _ends(ctrl, actions)]
    return after


def on_warp(
    env: TaskEnv,
    moments: Float[np.ndarray, "n p"],
    actions: Float[np.ndarray, "n t d"],
    *,
    contacts_a_world: int,
    constraints_a_world: int,
) -> Float[np.ndarray, "n t p"]:
    """The runs by MuJoCo Warp, a world each. ValueError when it is not installed (`pip install lapa[warp]`)."""
    try:
        warp, mjw = importlib.import_module("warp"), importlib.import_module("mujoco_warp")
    except ModuleNotFoundError as error:
        raise ValueError(f"MuJoCo Warp is not installed ({error.name}): pip install 'lapa[warp]'") from error
    model, ctrl = env.model, set_points(env, moments, actions)
    limits = {"nconmax": contacts_a_world, "njmax": constraints_a_world}
    world, worlds = mjw.put_model(model), mjw.put_data(model, env.data, nworld=len(moments), **limits)
    parts = {"qpos": STATE.mjSTATE_QPOS, "qvel": STATE.mjSTATE_QVEL, "qacc_warmstart": STATE.mjSTATE_WARMSTART}
    parts |= {"mocap_pos": INPUTS[1], "mocap_quat": INPUTS[2]}
    for name, part in parts.items():
        _assign(getattr(worlds, name), moments[:, columns(model, part)])
    after, ends = _after(moments, ctrl, model, actions.shape[1]), list(_ends(ctrl, actions))
    for step in range(ctrl.shape[1]):
        _assign(worlds.ctrl, ctrl[:, step])
        mjw.step(world, worlds)
        if step in ends:
            for name in ("qpos", "qvel"):
                after[:, ends.index(step), columns(model, parts[name])] = getattr(worlds, name).numpy()
    warp.synchronize()
    return after


def _assign(array: Any, values: np.ndarray) -> None:
    """Copy into an array of Warp, whatever its rows are made of."""
    array.assign(values.reshape(array.numpy().shape).astype(np.float32))


def _ends(ctrl: np.ndarray, actions: np.ndarray) -> np.ndarray:
    """The last physics step of each control period."""
    steps = ctrl.shape[1] // actions.shape[1]
    return np.arange(1, actions.shape[1] + 1) * steps - 1


def _after(moments: np.ndarray, ctrl: np.ndarray, model: mujoco.MjModel, periods: int) -> np.ndarray:
    """Moments with all that does not follow from physics: clock, set points, places of fixed objects."""
    after, steps = np.repeat(moments[:, None], periods, axis=1), ctrl.shape[1] // periods
    after[..., columns(model, STATE.mjSTATE_CTRL)] = ctrl[:, steps - 1 :: steps]
    clock = np.arange(1, periods + 1) * steps * model.opt.timestep
    after[..., columns(model, STATE.mjSTATE_TIME)] += clock[None, :, None]
    return after
