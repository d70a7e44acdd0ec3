"""Where an object and another stand, and a statement about the two in; the point (x, y) [m] to which it is to go out."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from sim_finetune.predicates.relations import SIDES
from sim_finetune.skills.patterns import TABLE_M

SURELY = 0.8  # of what is allowed: not just within the tolerance
ROUND_M = 0.11  # beside what stands in the way

Point = Float[np.ndarray, "2"]


class Pair(NamedTuple):
    """Middles of the object and of the other one (of the object again, where there is none); radii_m: of the two together."""

    here: Point
    other: Point
    radii_m: float


def _near(pair: Pair, want: Any) -> Point:
    """Straight towards the other, as near as is asked and a little nearer."""
    here, other, _ = pair
    away = here - other
    return other + SURELY * want.within_m * away / max(float(np.linalg.norm(away)), 1e-9)


def _apart(pair: Pair, want: Any) -> Point:
    """The nearest point on the table that is far enough from the other."""
    here, other, _ = pair
    turns = np.linspace(0, 2 * np.pi, 72, endpoint=False) + np.arctan2(*(here - other)[::-1])
    ring = other + want.at_least_m / SURELY * np.stack([np.cos(turns), np.sin(turns)], axis=1)
    off_table = np.maximum(np.maximum(TABLE_M[:2] - ring, ring - TABLE_M[2:]), 0).sum(axis=1)
    return ring[int((np.linalg.norm(ring - here, axis=1) + 20 * off_table).argmin())]


def _beside(pair: Pair, want: Any) -> Point:
    """On its side of the other; round the other when that stands in the way."""
    here, other, radii_m = pair
    side = np.array(SIDES[want.side])
    goal, across = other + want.offset_m * side, np.array([-side[1], side[0]])
    way = goal - here
    share = float(np.clip((other - here) @ way / max(way @ way, 1e-9), 0, 1))
    if share > 0 and np.linalg.norm(here + share * way - other) < SURELY * radii_m:
        return other + ROUND_M * np.copysign(1.0, (here - other) @ across) * across
    return goal


def _in_region(pair: Pair, want: Any) -> Point:
    """The nearest point well inside the region."""
    low, high = np.array(want.region_m[:2]), np.array(want.region_m[2:])
    margin = (1 - SURELY) * (high - low)
    return np.clip(pair.here, low + margin, high - margin)


POINTS: dict[str, Callable[[Pair, Any], Point]] = {
    "apart": _apart,
    "beside": _beside,
    "in_region": _in_region,
    "near": _near,
}
