"""A step and a running scene in, where its object belongs out: a pose of the object's own frame."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial.distance import pdist

from sim_finetune.placement import pattern_offsets
from sim_finetune.predicates import every
from sim_finetune.skills.base import Step, World, at_height, smallest_turn, up
from sim_finetune.skills.bridges import Bridge, bridge_of, bridge_over, in_a_row
from sim_finetune.skills.patterns import PAINTED, emptiest, spots
from sim_finetune.skills.sides import POINTS, Pair
from sim_finetune.skills.travel import TIP_M

TURNS_RAD = tuple(np.linspace(0, np.pi, 6, endpoint=False))  # tried for a layout
ROW_M = 0.03  # between the edges of two in a row, for fingers
AT_PLACE_M, AT_PLACE_RAD = 0.008, 0.06
RIM_M = 0.030  # how far the tool may be below the rim of a hollow: the palm is not far above
FITTING = ("fixture", "kit")  # kinds that things are fitted into
ROPE_ENDS = ("start", "end")
CLOSE_M = 0.075  # pitch of a row in which fingers have no room between two
SQUARE_M = 0.001  # difference of two sides that are as good as equal
LONG = 1.3  # length over breadth
MARGIN_M = 0.006  # between an object and the edge of what it shares with others


class Place(NamedTuple):
    """Where an object's frame belongs [m, workspace frame].

    yaw_rad: its turn about the vertical, None for any; period_rad: turns by this much look alike;
    lowest_m: the tool must not go lower: the palm over a wall, or fingertips over a board; objects fall the rest;
    hand_rad: where the object may be turned anyhow, the tool's yaw (modulo π) with room for a hand, None for any.
    """

    point_m: Float[np.ndarray, "3"]
    yaw_rad: float | None = None
    period_rad: float = 2 * np.pi
    lowest_m: float = -np.inf
    hand_rad: float | None = None


def place_of(world: World, step: Step) -> Place:
    """Where the step's object belongs now; ValueError when nothing says so."""
    kind = getattr(step.want, "kind", None)
    if kind is None:
        kind = "inside" if step.target and world.has(step.target, "inside") else "on_top"
    if kind not in PLACES:
        raise ValueError(f"{kind!r} does not say where {step.object!r} belongs; {sorted(PLACES)} do")
    return PLACES[kind](world, step)


def at_place(world: World, step: Step) -> bool:
    """Whether the step's object stands where it belongs."""
    place = place_of(world, step)
    turned = 0.0 if place.yaw_rad is None else smallest_turn(world.yaw(step.object) - place.yaw_rad, place.period_rad)
    away = float(np.linalg.norm(world.centre(step.object) - place.point_m))
    return away < AT_PLACE_M and abs(turned) < AT_PLACE_RAD


def target_of(step: Step) -> str:
    """The object that the step is about besides its own; ValueError when it has none."""
    if step.target is None:
        raise ValueError(f"{step.skill} of {step.object!r} needs a target")
    return step.target


def _rest_m(world: World, name: str) -> float:
    return float(world.env.task_spec.object(name).rest_height_m)


def _on_top(world: World, step: Step) -> Place:
    if step.want is not None and (bridge := bridge_of(world.env.task_spec.goal, step.object)):
        return _across(world, step, bridge)
    top = world.site(target_of(step), "top")
    half = world.env.view.half_extents(target_of(step))
    offset, hand = _share(world, step, half)
    return Place(up(top + offset, _rest_m(world, step.object)), hand_rad=hand)


def _across(world: World, step: Step, bridge: Bridge) -> Place:
    """Amid all its supports, on the highest; what is long lies along their row, jaws close across it."""
    tops = np.stack([world.site(name, "top") for name in bridge.supports])
    row = tops[-1] - tops[0]
    along = smallest_turn(float(np.arctan2(row[1], row[0])), np.pi)
    middle = at_height(tops.mean(axis=0), float(tops[:, 2].max()))
    point, half = up(middle, _rest_m(world, step.object)), world.env.view.half_extents(step.object)
    if half[0] > LONG * half[1]:
        return Place(point, along, np.pi)
    return Place(point, hand_rad=along)


def _inside(world: World, step: Step) -> Place:
    target = target_of(step)
    middle, half = world.site(target, "inside"), world.env.model.site(f"{target}/inside").size
    floor = at_height(middle, middle[2] - half[2]) + _share(world, step, half)[0]
    lowest = float(middle[2] + half[2]) - RIM_M
    lidded = hasattr(world.env.task_spec.object(target), "joint_name")  # a broad hand goes along the lid or the cabinet
    along = smallest_turn(world.yaw(target) - np.pi / 2, np.pi) if lidded else None
    return Place(up(floor, _rest_m(world, step.object)), lowest_m=lowest, hand_rad=along)


def _in_zone(world: World, step: Step) -> Place:
    target = target_of(step)
    offset, hand = _share(world, step, world.env.view.half_extents(target))
    return Place(at_height(world.centre(target) + offset, _rest_m(world, step.object)), hand_rad=hand)


def _pose_near(world: World, step: Step) -> Place:
    site = f"{target_of(step)}/{step.want.site}"
    point, matrix = world.env.view.site(site), world.env.data.site(site).xmat
    fitting = world.env.task_spec.object(target_of(step)).kind in FITTING
    asked = None if step.want.yaw_within_rad is None else step.want.symmetry
    symmetry = asked or (_corners(world, step.object) if fitting else None)  # a slot does not take it any way round
    yaw = None if symmetry is None else float(np.arctan2(matrix[3], matrix[0]))
    lowest = world.highest_m(target_of(step)) + TIP_M if fitting else -np.inf
    return Place(up(point, _rest_m(world, step.object)), yaw, 2 * np.pi / (symmetry or 1), lowest)


def _corners(world: World, name: str) -> int | None:
    """In how many ways an object fits a slot of its own outline; None: any way, as it is round."""
    half = getattr(world.env.task_spec.object(name), "half_extents_m", None)
    if half is None:
        return None
    if world.env.task_spec.object(name).kind != "block":
        return 1
    return 4 if abs(half[0] - half[1]) < SQUARE_M else 2


def _aligned(world: World, step: Step) -> Place:
    """Where it stood at the start, turned like the target."""
    start = at_height(world.env.view.start[step.object][0], _rest_m(world, step.object))
    return Place(start, world.yaw(target_of(step)), 2 * np.pi / step.want.symmetry)


def _layout(world: World, step: Step) -> Place:
    names, layout = step.want.objects, step.want.layout
    if layout == "stack":
        return _on_top(world, step)
    slots = pattern_offsets(layout, len(names), step.want.pitch_m)
    place = _spot(world, step, names, slots, TURNS_RAD, free=True)
    close = layout == "line" and step.want.pitch_m < CLOSE_M
    return place._replace(hand_rad=_along_row(world, names, slots)) if close else place


def _along_row(world: World, names: tuple[str, ...], slots: np.ndarray) -> float | None:
    """The tool's yaw with which jaws close across a line in which there is no room for fingers between two."""
    places = spots(world, names, slots, TURNS_RAD, free=True)
    row = places[names[-1]] - places[names[0]]
    return smallest_turn(float(np.arctan2(row[1], row[0])), np.pi)


def _sorted(world: World, step: Step) -> Place:
    """In a row along the axis, the smallest at its low end."""
    view, by = world.env.view, step.want.by
    half = {name: view.half_extents(name) for name in step.want.objects}
    size = {name: float(np.prod(half[name]) if by == "size" else half[name][2]) for name in half}
    names = tuple(sorted(size, key=lambda name: size[name]))
    pitch = 2 * max(world.env.task_spec.object(name).radius_m for name in names) + ROW_M + step.want.gap_m
    slots = np.zeros((len(names), 2))
    slots[:, "xy".index(step.want.axis)] = (np.arange(len(names)) - (len(names) - 1) / 2) * pitch
    return _spot(world, step, names, slots, (0.0,), free=False)


def _spot(world: World, step: Step, names: tuple[str, ...], slots: np.ndarray, turns: Any, *, free: bool) -> Place:
    x, y = spots(world, names, slots, turns, free=free)[step.object]
    return Place(np.array([x, y, _rest_m(world, step.object)]))


def _assigned(world: World, step: Step) -> Place:
    target = target_of(step)
    if world.has(target, "inside"):
        return _inside(world, step)
    return (_in_zone if world.env.task_spec.object(target).kind in PAINTED else _on_top)(world, step)


def _touching(world: World, step: Step) -> Place:
    """On top of what it shall touch, where it stays; one that is pushed gets as far as its edge."""
    return Place(up(world.site(target_of(step), "top"), _rest_m(world, step.object)))


def _rope_end(world: World, step: Step) -> Place:
    """The end's own mark: of the two ways to lay the rope, the one that moves its ends less."""
    ends = [world.site(step.object, end)[:2] for end in ROPE_ENDS]
    goals = [world.site(name, "top") for name in (step.want.first, step.want.second)]
    straight = sum(float(np.linalg.norm(end - goal[:2])) for end, goal in zip(ends, goals, strict=True))
    crossed = sum(float(np.linalg.norm(end - goal[:2])) for end, goal in zip(ends, goals[::-1], strict=True))
    own = ROPE_ENDS.index(step.site or ROPE_ENDS[0])
    return Place(up(goals[own if straight <= crossed else 1 - own], _rest_m(world, step.object)))


def _away(world: World, step: Step) -> Place:
    x, y = emptiest(world, step.object)
    return Place(np.array([x, y, _rest_m(world, step.object)]))


def _pushed(world: World, step: Step) -> Place:
    """Where statements about two objects, or about the table, send it."""
    names = [step.object, step.target or step.object]
    here, other = (world.centre(name)[:2] for name in names)
    radii = sum(float(world.env.task_spec.object(name).radius_m) for name in names)
    return Place(np.array([*POINTS[step.want.kind](Pair(here, other, radii), step.want), _rest_m(world, step.object)]))


def _share(world: World, step: Step, half_m: np.ndarray) -> tuple[Float[np.ndarray, "3"], float | None]:
    """From the middle of a place to this object's share of it, when several objects go to the same place; and the
    tool's yaw (modulo π), where they are to stand so near that fingers have no room between them.
    """
    names, axes = _companions(world.env.task_spec.goal, step), world.env.data.body(target_of(step)).xmat.reshape(3, 3)
    if len(names) < 2:
        return np.zeros(3), None
    if bridge := bridge_over(world.env.task_spec.goal, names):
        offset = in_a_row(names.index(step.object), len(names), bridge.pitch_m, half_m[:2])
        row = axes @ np.append(in_a_row(len(names), len(names), 1.0, half_m[:2]), 0.0)
        return axes @ np.append(offset, 0.0), smallest_turn(float(np.arctan2(row[1], row[0])), np.pi)
    radius = max(world.env.task_spec.object(name).radius_m for name in names)
    room = np.maximum(half_m[:2] - radius - MARGIN_M, 0.0)
    if step.want.kind == "on_top":
        room = np.minimum(room, step.want.within_m / 2)
    offset = np.append(_cells(len(names), room)[names.index(step.object)], 0.0)
    return axes @ offset, None


def _cells(count: int, room_m: np.ndarray) -> Float[np.ndarray, "count 2"]:
    """Places in a rectangle with these half extents, in as many rows as keep them farthest apart."""
    grids = []
    for rows in range(1, count + 1):
        columns = -(-count // rows)
        axes = [
            np.linspace(-room, room, n) if n > 1 else np.zeros(1)
            for room, n in zip(room_m, (rows, columns), strict=True)
        ]
        grids.append(np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)[:count])
    return max(grids, key=lambda cells: float(pdist(cells).min()))


def _companions(goal: Any, step: Step) -> list[str]:
    """The objects that the goal wants in the same relation to the same place, this step's among them."""
    names = []
    for part in every(goal):
        about = [name for name, _ in part.names()]
        pairs = zip(about[::2], about[1::2], strict=False)  # of assigned; any other has one pair or no place
        if type(part) is type(step.want):
            names += [name for name, place in pairs if place == step.target]
    return list(dict.fromkeys(names)) if step.object in names else []


PLACES: dict[str, Callable[[World, Step], Place]] = {
    "aligned_with": _aligned,
    "assigned": _assigned,
    "in_contact": _touching,
    "in_zone": _in_zone,
    "inside": _inside,
    "layout_matches": _layout,
    "not": _away,
    "on_top": _on_top,
    "pose_near": _pose_near,
    "rope_between": _rope_end,
    "sorted_by": _sorted,
    **dict.fromkeys(POINTS, _pushed),
}
