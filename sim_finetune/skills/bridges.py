"""A goal in which things rest on several others in; those others and how far apart they have to stand out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from sim_finetune.predicates import OnTop, every

APART = 1.5  # of the tolerance within which the bridging thing must be of each support's middle; 2 would just do


class Bridge(NamedTuple):
    """A thing that rests on more than one. pitch_m: distance of neighbouring supports' middles."""

    object: str
    supports: tuple[str, ...]
    pitch_m: float


def bridges(goal: Any) -> list[Bridge]:
    """Every object that the goal wants on top of several, in the order in which it names them."""
    found: dict[str, list[OnTop]] = {}
    for part in every(goal):
        if isinstance(part, OnTop):
            found.setdefault(part.object, []).append(part)
    return [
        Bridge(name, tuple(part.support for part in parts), APART * min(part.within_m for part in parts))
        for name, parts in found.items()
        if len(parts) > 1
    ]


def bridge_of(goal: Any, name: str) -> Bridge | None:
    """The bridge that an object is, or None."""
    return next((bridge for bridge in bridges(goal) if bridge.object == name), None)


def bridge_over(goal: Any, names: Sequence[str]) -> Bridge | None:
    """The first bridge that rests on two or more of these objects, or None."""
    return next((bridge for bridge in bridges(goal) if len(set(bridge.supports) & set(names)) > 1), None)


def in_a_row(number: int, count: int, pitch_m: float, half_m: Float[np.ndarray, "2"]) -> Float[np.ndarray, "2"]:
    """Place of one of `count` objects in a row along the longer side of a rectangle with these half extents [m]."""
    offset = np.zeros(2)
    offset[int(np.argmax(half_m))] = (number - (count - 1) / 2) * pitch_m
    return offset
