"""A step and a running scene in, where its object belongs out: a pose of the object's own frame."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from sim_finetune.skills.base import Step, World, at_height, up

MARGIN_M = 0.006  # between an object and the edge of what it shares with others


class Place(NamedTuple):
    """Where an object's frame belongs [m, workspace frame].

    yaw_rad: its turn about the vertical, None for any; period_rad: turns by this much look alike;
    rim_m: height of the walls around the place, −inf where there are none.
    """

    point_m: Float[np.ndarray, "3"]
    yaw_rad: float | None = None
    period_rad: float = 2 * np.pi
    rim_m: float = -np.inf


def place_of(world: World, step: Step) -> Place:
    """Where the step's object belongs now; ValueError when nothing says so."""
    kind = getattr(step.want, "kind", None)
    if kind is None:
        kind = "inside" if step.target and world.has(step.target, "inside") else "on_top"
    if kind not in PLACES:
        raise ValueError(f"{kind!r} does not say where {step.object!r} belongs; {sorted(PLACES)} do")
    return PLACES[kind](world, step)


def target_of(step: Step) -> str:
    """The object that the step is about besides its own; ValueError when it has none."""
    if step.target is None:
        raise ValueError(f"{step.skill} of {step.object!r} needs a target")
    return step.target


def _rest_m(world: World, name: str) -> float:
    return float(world.env.task_spec.object(name).rest_height_m)


def _on_top(world: World, step: Step) -> Place:
    top = world.site(target_of(step), "top")
    half = _half_extents(world, target_of(step))
    return Place(up(top + _share(world, step, half), _rest_m(world, step.object)))


def _inside(world: World, step: Step) -> Place:
    target = target_of(step)
    middle, half = world.site(target, "inside"), world.env.model.site(f"{target}/inside").size
    floor = at_height(middle, middle[2] - half[2]) + _share(world, step, half)
    return Place(up(floor, _rest_m(world, step.object)), rim_m=float(middle[2] + half[2]))


def _in_zone(world: World, step: Step) -> Place:
    target = target_of(step)
    middle = world.centre(target) + _share(world, step, _half_extents(world, target))
    return Place(at_height(middle, _rest_m(world, step.object)))


def _half_extents(world: World, name: str) -> Float[np.ndarray, "3"]:
    thing = world.env.task_spec.object(name)
    half = np.zeros(3)
    extents = getattr(thing, "bounds_m", getattr(thing, "half_extents_m", (0.0, 0.0, 0.0)))
    half[: len(extents)] = extents
    return half


def _share(world: World, step: Step, half_m: np.ndarray) -> Float[np.ndarray, "3"]:
    """From the middle of a place to this object's share of it, when several objects go to the same place."""
    names = _companions(world.env.task_spec.goal, step)
    if len(names) < 2:
        return np.zeros(3)
    radius = max(world.env.task_spec.object(name).radius_m for name in names)
    axis = int(np.argmax(half_m[:2]))
    room = max(float(half_m[axis]) - radius - MARGIN_M, 0.0)
    offset = np.zeros(3)
    offset[axis] = np.linspace(-room, room, len(names))[names.index(step.object)]
    return world.env.data.body(target_of(step)).xmat.reshape(3, 3) @ offset


def _companions(goal: Any, step: Step) -> list[str]:
    """The objects that the goal wants in the same relation to the same place, this step's among them."""
    names = []
    for part in leaves(goal):
        about = [name for name, _ in part.names()]
        if type(part) is type(step.want) and len(about) == 2 and about[1] == step.target:
            names.append(about[0])
    return list(dict.fromkeys(names)) if step.object in names else []


def leaves(goal: Any) -> list[Any]:
    """The statements in a goal that are not made of others."""
    if hasattr(goal, "parts"):
        return [leaf for part in goal.parts for leaf in leaves(part)]
    return leaves(goal.part) if hasattr(goal, "part") else [goal]


PLACES: dict[str, Callable[[World, Step], Place]] = {
    "on_top": _on_top,
    "inside": _inside,
    "in_zone": _in_zone,
}
