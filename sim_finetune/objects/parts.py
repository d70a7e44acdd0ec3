"""Pieces that several objects are made of; in: a body of an MjSpec, names and sizes in m; out: geoms and sites on it."""

import math
from collections.abc import Sequence
from typing import Any

import mujoco

DENSITY_KG_M3 = 400.0  # pine wood
BOARD_KG_M3 = 700.0  # medium-density fibreboard, EN 316
PLASTIC_KG_M3 = 1050.0  # ABS, ISO 1183 data sheets
# Sliding friction of rubber-covered toy blocks on a gripper pad; torsional and rolling as small lengths [m].
FRICTION = [1.0, 0.01, 0.0002]
GRIPPED: dict[str, Any] = {"friction": FRICTION, "condim": 4}  # torsion too, or a grasped thing swings about the pads
GHOST: dict[str, Any] = {"contype": 0, "conaffinity": 0}  # drawn, touches nothing
GREY = [0.45, 0.43, 0.40, 1.0]
DARK = [0.16, 0.16, 0.18, 1.0]
CLEAR = [0.0, 0.0, 0.0, 0.0]

BAR_M = 0.008  # radius of a handle's bar
# A bar that rises above its object: jaws take it at GRIP_M, a palm 0.045 m over the fingertips stays clear of its end.
RISE_M, GRIP_M = 0.045, 0.030
DEEPEST_GRASP_M = 0.03  # below an object's top, for the same palm


def add_fixed(scene: mujoco.MjSpec, name: str) -> mujoco.MjsBody:
    """A body that only a reset moves."""
    return scene.worldbody.add_body(name=name, mocap=True)


def add_free(scene: mujoco.MjSpec, name: str) -> mujoco.MjsBody:
    """A body that moves as it is pushed."""
    body = scene.worldbody.add_body(name=name)
    body.add_freejoint(name=name)
    return body


def add_moving(scene: mujoco.MjSpec, fixed: mujoco.MjsBody, name: str, **place: Any) -> mujoco.MjsBody:
    """The part `name` of `fixed`, for a joint to move. It touches anything but the body it belongs to."""
    part = fixed.add_body(name=name, **place)
    scene.add_exclude(name=name, bodyname1=fixed.name, bodyname2=name)
    return part


def add_box(body: mujoco.MjsBody, name: str, size: Sequence[float], pos: Sequence[float], **look: Any) -> None:
    """A box with half extents `size`."""
    body.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=size, pos=pos, **look)


def add_bar(
    body: mujoco.MjsBody, name: str, start: Sequence[float], end: Sequence[float], radius_m: float, **look: Any
) -> None:
    """A round bar between two points."""
    capsule = mujoco.mjtGeom.mjGEOM_CAPSULE
    body.add_geom(name=name, type=capsule, fromto=[*start, *end], size=[radius_m, 0, 0], **look)


def add_bounds(body: mujoco.MjsBody, name: str, half_extents_m: Sequence[float]) -> None:
    """The invisible box around an object of several pieces, so that every object has a geom of its own name."""
    add_box(body, name, half_extents_m, [0, 0, 0], rgba=CLEAR, mass=0, **GHOST)


def add_base(scene: mujoco.MjSpec, name: str, half_extents_m: Sequence[float]) -> mujoco.MjsBody:
    """A fixed grey block, for a joint to stand on."""
    base = add_fixed(scene, name)
    add_box(base, name, half_extents_m, [0, 0, 0], rgba=GREY)
    return base


def add_frame(
    scene: mujoco.MjSpec, name: str, half_extents_m: Sequence[float], *, post_m: float, sill_m: float
) -> mujoco.MjsBody:
    """A fixed grey frame without a lintel, its posts and sill of those half widths; `top` is at the posts' height."""
    x, y, z = half_extents_m
    frame = add_fixed(scene, name)
    add_bounds(frame, name, half_extents_m)
    for side, sign in (("left", -1), ("right", 1)):
        add_box(frame, f"{name}/{side}", [post_m, y, z], [sign * (x - post_m), 0, 0], rgba=GREY)
    add_box(frame, f"{name}/sill", [x, y, sill_m], [0, 0, sill_m - z], rgba=GREY)
    add_site(frame, f"{name}/top", [0, 0, z])
    return frame


def add_site(body: mujoco.MjsBody, name: str, pos: Sequence[float], axes: Sequence[float] = (1, 0, 0, 0, 1, 0)) -> None:
    """An invisible point; axes: its x and then its y, in the body's frame."""
    body.add_site(name=name, pos=pos, xyaxes=axes, size=[0.002] * 3, rgba=CLEAR)


def add_inside(body: mujoco.MjsBody, thing: str, half_extents_m: Sequence[float], pos: Sequence[float]) -> None:
    """The site `thing/inside`: a box as large as the hollow."""
    box = mujoco.mjtGeom.mjGEOM_BOX
    body.add_site(name=f"{thing}/inside", type=box, size=half_extents_m, pos=pos, rgba=CLEAR)


def add_grasp(body: mujoco.MjsBody, thing: str, xy: Sequence[float], top_m: float, *, along_y: bool) -> None:
    """The site `thing/grasp` at (x, y), for jaws that close along x or y, at mid height or as deep as a palm allows."""
    axes = [0, 1, 0, -1, 0, 0] if along_y else [1, 0, 0, 0, 1, 0]
    add_site(body, f"{thing}/grasp", [*xy, max(0.0, top_m - DEEPEST_GRASP_M)], axes)


def tray_hollow_m(half_extents_m: Sequence[float], wall_m: float) -> list[float]:
    """Half extents of the hollow of `add_tray`, whose middle is wall_m over the tray's."""
    x, y, z = half_extents_m
    return [x - 2 * wall_m, y - 2 * wall_m, z - wall_m]


def add_tray(body: mujoco.MjsBody, thing: str, half_extents_m: Sequence[float], wall_m: float, **look: Any) -> None:
    """Four walls and a floor of thickness 2 · wall_m round the body's origin, open above."""
    x, y, z = half_extents_m
    inner = tray_hollow_m(half_extents_m, wall_m)
    add_box(body, f"{thing}/floor", [x, y, wall_m], [0, 0, -z + wall_m], **look)
    for side, sign in (("left", -1), ("right", 1)):
        add_box(body, f"{thing}/{side}", [wall_m, y, inner[2]], [sign * (x - wall_m), 0, wall_m], **look)
    for side, sign in (("front", -1), ("back", 1)):
        add_box(body, f"{thing}/{side}", [inner[0], wall_m, inner[2]], [0, sign * (y - wall_m), wall_m], **look)


def add_post(
    body: mujoco.MjsBody, thing: str, foot: Sequence[float], top_m: float, way: Sequence[float], **look: Any
) -> None:
    """A bar upright from `foot` to RISE_M over the height top_m, and `thing/handle` on it; way: (x, y) it opens."""
    x, y, _ = foot
    add_bar(body, f"{thing}/bar", foot, [x, y, top_m + RISE_M - BAR_M], BAR_M, **GRIPPED, **look)
    add_site(body, f"{thing}/handle", [x, y, top_m + GRIP_M], [way[1], -way[0], 0, way[0], way[1], 0])


def add_fin(body: mujoco.MjsBody, thing: str, foot: Sequence[float], half_width_m: float, **look: Any) -> None:
    """A small upright plate on a lid that flips about x: its ends (along x) lie between the jaws and turn in them."""
    x, y, z = foot
    half_height = 0.015
    add_box(body, f"{thing}/fin", [half_width_m, 0.006, half_height], [x, y, z + half_height], **GRIPPED, **look)
    up = z + half_height + 0.003
    add_site(body, f"{thing}/handle", [x, y, up], [1, 0, 0, 0, up, -y])  # about −x: the way of (y, up) is (up, −y)


def hinge(travel_rad: float, damping: float, friction_n_m: float, **axis: Any) -> dict[str, Any]:
    """Fields of a hinge from 0 to travel_rad. friction_n_m: what holds it where it was left."""
    kind, degrees = mujoco.mjtJoint.mjJNT_HINGE, math.degrees(travel_rad)  # what an MjSpec counts ranges in
    return _joint(kind, degrees, damping, friction_n_m) | axis


def slide(travel_m: float, damping: float, friction_n: float, **axis: Any) -> dict[str, Any]:
    """Fields of a slide from 0 to travel_m."""
    kind = mujoco.mjtJoint.mjJNT_SLIDE
    return _joint(kind, travel_m, damping, friction_n) | axis


def _joint(kind: mujoco.mjtJoint, travel: float, damping: float, friction: float) -> dict[str, Any]:
    return {
        "type": kind,
        "range": [0, travel],
        "limited": True,
        "damping": [damping, 0, 0],
        "frictionloss": friction,
        "solimp_friction": [0.9999, 0.9999, 0.001, 0.5, 2],  # with the default a lid creeps shut under its weight
    }
