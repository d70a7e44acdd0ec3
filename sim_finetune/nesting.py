"""A scene whose table is laid in; what stands on or in another object put there too. And how a pose gets into MjData."""

from collections.abc import Iterator

import mujoco
import numpy as np
from jaxtyping import Float

from sim_finetune.objects import SceneObject
from sim_finetune.predicates.view import heading
from sim_finetune.spec import TaskSpec

Disc = tuple[np.ndarray, float]  # centre (2,) on the table and radius [m]

PLACE_TRIES = 500


def fits(xy: Float[np.ndarray, "2"], reach_m: float, taken: list[Disc]) -> bool:
    """Whether a disc of that reach keeps clear of all others."""
    return all(np.linalg.norm(xy - other) >= reach_m + radius for other, radius in taken)


def put(model: mujoco.MjModel, data: mujoco.MjData, name: str, pos_m: np.ndarray, yaw_rad: float) -> None:
    """Move an object's body there, upright."""
    pose = np.array([*pos_m, np.cos(yaw_rad / 2), 0, 0, np.sin(yaw_rad / 2)])
    mocap = model.body(name).mocapid[0]
    if mocap >= 0:
        data.mocap_pos[mocap], data.mocap_quat[mocap] = pose[:3], pose[3:]
    else:
        start = model.joint(name).qposadr[0]
        data.qpos[start : start + 7] = pose


def place_nested(spec: TaskSpec, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
    """Put each object that stands on or in another; ValueError when there is no room beside what is there already."""
    taken: dict[str, list[Disc]] = {}
    for thing in _parents_first(spec):
        mujoco.mj_kinematics(model, data)  # where the sites of what is placed already are
        beside = taken.setdefault(thing.place.parent, [])  # type: ignore[union-attr,arg-type]
        pos_m, yaw_rad = _free_spot(spec, model, data, thing, beside, rng)
        put(model, data, thing.name, pos_m, yaw_rad)
        beside.append((pos_m[:2], thing.radius_m))


def _parents_first(spec: TaskSpec) -> Iterator[SceneObject]:
    waiting = [thing for thing in spec.objects if thing.place and thing.place.kind in ("on", "inside")]
    while waiting:
        names = {thing.name for thing in waiting}
        ready = [thing for thing in waiting if thing.place and thing.place.parent not in names]
        assert ready, "placements that go round in a circle are refused with the spec"
        yield from ready
        waiting = [thing for thing in waiting if thing not in ready]


def _free_spot(
    spec: TaskSpec,
    model: mujoco.MjModel,
    data: mujoco.MjData,
    thing: SceneObject,
    beside: list[Disc],
    rng: np.random.Generator,
) -> tuple[Float[np.ndarray, "3"], float]:
    """Where the body goes, and its yaw; discs on the same support may touch: clearance is for hands, on the table."""
    where = thing.place
    assert where is not None
    name = f"{where.parent}/{'top' if where.kind == 'on' else 'inside'}"
    site, size = data.site(name), model.site(name).size
    axes, floor_m = site.xmat.reshape(3, 3), -size[2] if where.kind == "inside" else 0.0
    half = np.full(2, where.within_m) if where.kind == "on" else size[:2] - thing.radius_m
    for _ in range(PLACE_TRIES if (half >= 0).all() else 0):
        pos_m = site.xpos + axes @ np.array([*rng.uniform(-half, half), floor_m]) + [0, 0, thing.rest_height_m]
        if fits(pos_m[:2], thing.radius_m, beside):
            return pos_m, heading(axes) + rng.uniform(*thing.yaw_range_rad)
    raise ValueError(f"no room for {thing.name!r} {where.kind} {where.parent!r} ({spec.name})")
