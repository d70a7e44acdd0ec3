"""A task spec, its model and a random generator in; every object put where an episode begins, or ValueError: no room."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import mujoco
import numpy as np
from jaxtyping import Float

from sim_finetune.nesting import PLACE_TRIES, Disc, fits, place_nested, put
from sim_finetune.objects import SceneObject
from sim_finetune.objects.base import Articulated
from sim_finetune.placement import Layout, Region, pattern_offsets, pattern_rows
from sim_finetune.spec import TaskSpec

LAYOUT_TRIES = 20  # whole layouts drawn before a crowded table counts as full
EDGE_M = 0.30  # what an offset moves has to stay this near the table's middle, in x and in y


class Standing(NamedTuple):
    """An object about the place that is drawn for its group. above_m: what it stands on, over the table."""

    thing: SceneObject
    offset_m: Float[np.ndarray, "2"]
    above_m: float
    yaw_rad: float


def place(spec: TaskSpec, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
    """Put every object where its spec says, those on the table at least clearance_m apart.

    Layouts and objects with others beside them are placed as one; what stands on or in another comes last. Where the first
    things leave no room for the last, all are placed anew. ValueError when there is no room.
    """
    _set_joints(spec, data)
    for left in reversed(range(LAYOUT_TRIES)):
        try:
            _place_all(spec, model, data, rng)
            break
        except ValueError:
            if not left:
                raise


def _place_all(spec: TaskSpec, model: mujoco.MjModel, data: mujoco.MjData, rng: np.random.Generator) -> None:
    taken: list[Disc] = []
    for group, region in sorted(_groups(spec, model, rng), key=_needs_m, reverse=True):  # or large ones find no room
        centre = _free_place(spec, group, region, taken, rng)
        for thing, offset, above_m, yaw_rad in group:
            turn = yaw_rad if len(group) > 1 else rng.uniform(*thing.yaw_range_rad)
            put(model, data, thing.name, np.array([*(centre + offset), above_m + thing.rest_height_m]), turn)
            taken += [(centre + offset, thing.radius_m)] if above_m == 0 else []
    place_nested(spec, model, data, rng)


def _set_joints(spec: TaskSpec, data: mujoco.MjData) -> None:
    """Doors, drawers and lids as far open as their specs say."""
    for thing in spec.objects:
        if isinstance(thing, Articulated):
            low, high = thing.joint_range
            data.joint(thing.joint_name).qpos[0] = low + thing.start_fraction * (high - low)


def _needs_m(group: tuple[list[Standing], Region]) -> float:
    return sum(standing.thing.radius_m for standing in group[0])


def _groups(spec: TaskSpec, model: mujoco.MjModel, rng: np.random.Generator) -> Iterator[tuple[list[Standing], Region]]:
    """What is placed together, and the region for its middle. Objects alone are drawn as they were in version 1."""
    arranged = {name for layout in spec.layouts for name in layout.objects}
    for thing in spec.objects:
        kind = thing.place.kind if thing.place else "region"
        if kind == "region" and thing.name not in arranged:
            region = thing.place.region_m if thing.place else thing.region_m
            beside = [other for other in spec.objects if other.place and other.place.kind == "relative"]
            alone = not any(other.place.to == thing.name for other in beside)
            yaw = 0.0 if alone else rng.uniform(*thing.yaw_range_rad)
            yield _with_neighbours(spec, Standing(thing, np.zeros(2), 0.0, yaw), rng), region
    for layout in spec.layouts:
        yield from _layout(spec, model, layout, rng)


def _with_neighbours(spec: TaskSpec, root: Standing, rng: np.random.Generator) -> list[Standing]:
    """An object and all that is placed relative to it, and to those."""
    group = [root]
    for other in spec.objects:
        if other.place and other.place.kind == "relative" and other.place.to == root.thing.name:
            offset = root.offset_m + _rotation(root.yaw_rad) @ np.array(other.place.offset_m)
            yaw = root.yaw_rad + rng.uniform(*other.yaw_range_rad)
            group += _with_neighbours(spec, Standing(other, offset, 0.0, yaw), rng)
    return group


def _layout(
    spec: TaskSpec, model: mujoco.MjModel, layout: Layout, rng: np.random.Generator
) -> Iterator[tuple[list[Standing], Region]]:
    if layout.pattern == "partition":
        yield from _partition(spec, layout, rng)
        return
    turn, things = rng.uniform(*layout.yaw_range_rad), [spec.object(name) for name in layout.objects]
    offsets = pattern_offsets(layout.pattern, len(things), layout.pitch_m) @ _rotation(turn).T
    group: list[Standing] = []
    above_m = 0.0
    pairs = zip(things, offsets, strict=True)
    for row in pattern_rows(layout.pattern, len(things)):
        level = list(islice(pairs, row))
        for thing, offset in level:
            standing = Standing(thing, offset, above_m, turn + rng.uniform(*thing.yaw_range_rad))
            group += _with_neighbours(spec, standing, rng)
        above_m += max(_height_m(model, thing) for thing, _ in level)
    yield group, layout.region_m


def _partition(spec: TaskSpec, layout: Layout, rng: np.random.Generator) -> Iterator[tuple[list[Standing], Region]]:
    """Each object alone in a cell of its own, far enough from the cell's border to stay in it."""
    columns = int(np.ceil(np.sqrt(len(layout.objects))))
    low, high = np.array(layout.region_m[:2]), np.array(layout.region_m[2:])
    side = (high - low) / columns
    cells = rng.permutation(columns**2)
    for name, cell in zip(layout.objects, cells, strict=False):
        thing, corner = spec.object(name), low + side * np.array([cell // columns, cell % columns])
        if min(side) < max(layout.pitch_m, 2 * thing.radius_m):
            raise ValueError(
                f"no room for {name!r}: a cell of the partition is {side.round(3).tolist()} m ({spec.name})"
            )
        margin = np.full(2, thing.radius_m)
        x_min, y_min, x_max, y_max = (float(value) for value in [*(corner + margin), *(corner + side - margin)])
        standing = Standing(thing, np.zeros(2), 0.0, rng.uniform(*thing.yaw_range_rad))
        yield _with_neighbours(spec, standing, rng), (x_min, y_min, x_max, y_max)


def _rotation(angle_rad: float) -> Float[np.ndarray, "2 2"]:
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cosine, -sine], [sine, cosine]])


def _height_m(model: mujoco.MjModel, thing: SceneObject) -> float:
    """From what an object stands on to its top site [m]."""
    return thing.rest_height_m + float(model.site(thing.site("top")).pos[2])


def _free_place(
    spec: TaskSpec, group: list[Standing], region: Region, taken: list[Disc], rng: np.random.Generator
) -> Float[np.ndarray, "2"]:
    """A random place for the group's middle that keeps each member clear of every taken disc."""
    low, high = np.array(region[:2]), np.array(region[2:])
    discs = [(standing.offset_m, standing.thing.radius_m) for standing in group if standing.above_m == 0]
    for _ in range(PLACE_TRIES):
        xy = rng.uniform(low, high)
        if all(fits(xy + offset, radius + spec.clearance_m, taken) for offset, radius in discs) and (
            len(group) == 1 or all(np.abs(xy + offset).max() <= EDGE_M for offset, _ in discs)
        ):
            return xy
    names = " and ".join(repr(standing.thing.name) for standing in group)
    raise ValueError(f"no room for {names} in {region} with {spec.clearance_m} m clearance ({spec.name})")
