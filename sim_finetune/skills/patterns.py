"""Where several objects stand and the pattern they are to form in; where on the table each belongs out."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from sim_finetune.skills.base import World

Points = tuple[tuple[float, float], ...]

TABLE_M = (-0.17, -0.22, 0.18, 0.22)  # x and y that a hand can set things down in
GRID_M = 0.03
CLEAR_M = 0.02  # wished between the edges of two objects, for fingers
PAINTED = ("zone", "line", "corner", "square")  # nothing to run into


def spots(
    world: World, names: tuple[str, ...], slots: Float[np.ndarray, "n 2"], turns_rad: tuple[float, ...], *, free: bool
) -> dict[str, np.ndarray]:
    """A place (x, y) for each object such that together they form the pattern `slots`, moved and turned.

    turns_rad: the turns to try; free: any object may take any slot, else in the order of names.
    It depends on where things stood at the start alone, so it stays the same while they are being moved.
    """
    start, spec = world.env.view.start, world.env.task_spec
    others = [thing for thing in spec.objects if thing.name not in names and thing.kind not in PAINTED]
    patterns = tuple(_points(slots @ _rotation(turn).T) for turn in turns_rad)
    starts = _points([start[name][0][:2] for name in names])
    obstacles = tuple((*_point(start[thing.name][0]), thing.radius_m) for thing in others)
    radius = max(spec.object(name).radius_m for name in names)
    found = _best(patterns, starts, obstacles, radius, free)
    return dict(zip(names, np.array(found), strict=True))


def _point(place: np.ndarray) -> tuple[float, float]:
    return round(float(place[0]), 4), round(float(place[1]), 4)


def _points(places: Float[np.ndarray, "n 2"] | list) -> Points:
    return tuple(_point(place) for place in places)


def _rotation(turn_rad: float) -> Float[np.ndarray, "2 2"]:
    c, s = np.cos(turn_rad), np.sin(turn_rad)
    return np.array([[c, -s], [s, c]])


@lru_cache(maxsize=256)
def _best(
    patterns: tuple[Points, ...], starts: Points, obstacles: tuple[tuple[float, ...], ...], radius_m: float, free: bool
) -> Points:
    """Of all middles and turns the one with room for all, and then with the shortest ways."""
    x_low, y_low, x_high, y_high = TABLE_M
    middles = [(x, y) for x in np.arange(x_low, x_high, GRID_M) for y in np.arange(y_low, y_high, GRID_M)]
    best, least = starts, np.inf
    for slots in (np.array(pattern) + middle for pattern in patterns for middle in middles):
        ways = np.linalg.norm(np.array(starts)[:, None] - slots[None], axis=-1)
        who, where = linear_sum_assignment(ways) if free else (np.arange(len(slots)),) * 2
        cost = float(ways[who, where].sum()) + 20 * _crowding_m(slots[where], np.array(starts), obstacles, radius_m)
        if cost < least:
            best, least = _points(slots[where]), cost
    return best


def _crowding_m(slots: np.ndarray, starts: np.ndarray, obstacles: tuple, radius_m: float) -> float:
    """How far slots lie off the table, in obstacles, and where an object stands that is moved only later [m]."""
    low, high = np.array(TABLE_M[:2]), np.array(TABLE_M[2:])
    lack = float(np.maximum(low - slots, 0).sum() + np.maximum(slots - high, 0).sum())
    for x, y, radius in obstacles:
        apart = np.linalg.norm(slots - [x, y], axis=1) - radius - radius_m
        lack += float(np.maximum(CLEAR_M - apart, 0).sum())
    apart = np.linalg.norm(slots[:, None] - starts[None], axis=-1) - 2 * radius_m
    later = np.triu(np.ones(apart.shape, bool), k=1)
    return lack + float(np.maximum(CLEAR_M - apart, 0)[later].sum())


def emptiest(world: World, name: str) -> Float[np.ndarray, "2"]:
    """The place (x, y) on the table farthest from every other object."""
    x_low, y_low, x_high, y_high = TABLE_M
    grid = np.array([(x, y) for x in np.arange(x_low, x_high, GRID_M) for y in np.arange(y_low, y_high, GRID_M)])
    others = [thing for thing in world.env.task_spec.objects if thing.name != name]
    room = [np.linalg.norm(grid - world.centre(thing.name)[:2], axis=1) - thing.radius_m for thing in others]
    return grid[int(np.argmax(np.min(room, axis=0)))] if room else np.zeros(2)
