"""Statements about an object's pose: near a target's, aligned with it, upright, where it stood at the start."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from sim_finetune.predicates.base import FALL_M, FALL_RAD, Angle, Predicate, Symmetry, Tolerance, kinds_with, nearness
from sim_finetune.predicates.view import SceneView, angle_off, heading, length_m


class PoseNear(Predicate):
    """The middle of the object's bottom is within `within_m` (3-D) of a site of the target.

    yaw_within_rad: how far it may be turned against that site, modulo 2π/symmetry; None: any way round.
    """

    kind: Literal["pose_near"]
    object: str
    target: str
    within_m: Tolerance
    yaw_within_rad: Angle | None = None
    symmetry: Symmetry = 1
    site: str = "top"

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, kinds_with("free")
        yield self.target, ()

    def sites(self) -> Iterator[tuple[str, str]]:
        yield self.target, self.site

    def distance_m(self, view: SceneView) -> float:
        bottom = np.array([*view.centre(self.object)[:2], view.lowest_m(self.object)])
        return length_m(bottom - view.site(f"{self.target}/{self.site}"))

    def turn_rad(self, view: SceneView) -> float:
        """How far it is turned beyond what is allowed; 0 or less is good."""
        if self.yaw_within_rad is None:
            return 0.0
        goal = heading(view.site_axes(f"{self.target}/{self.site}"))
        return angle_off(view.yaw(self.object) - goal, self.symmetry) - self.yaw_within_rad

    def holds(self, view: SceneView) -> bool:
        return self.distance_m(view) <= self.within_m and self.turn_rad(view) <= 0

    def progress(self, view: SceneView) -> float:
        return nearness(self.distance_m(view) - self.within_m, FALL_M) * nearness(self.turn_rad(view), FALL_RAD)


class AlignedWith(Predicate):
    """The object is turned like the target, within `within_rad`, modulo 2π/symmetry."""

    kind: Literal["aligned_with"]
    object: str
    target: str
    within_rad: Angle
    symmetry: Symmetry = 1

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, kinds_with("free")
        yield self.target, ()

    def _off_rad(self, view: SceneView) -> float:
        return angle_off(view.yaw(self.object) - view.yaw(self.target), self.symmetry)

    def holds(self, view: SceneView) -> bool:
        return self._off_rad(view) <= self.within_rad

    def progress(self, view: SceneView) -> float:
        return nearness(self._off_rad(view) - self.within_rad, FALL_RAD)


class Upright(Predicate):
    """The object's own vertical is within `within_rad` of the world's."""

    kind: Literal["upright"]
    object: str
    within_rad: Angle

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, kinds_with("free")

    def _tilt_rad(self, view: SceneView) -> float:
        return float(np.arccos(np.clip(view.axes(self.object)[2, 2], -1, 1)))

    def holds(self, view: SceneView) -> bool:
        return self._tilt_rad(view) <= self.within_rad

    def progress(self, view: SceneView) -> float:
        return nearness(self._tilt_rad(view) - self.within_rad, FALL_RAD)


class Undisturbed(Predicate):
    """Every object is within `within_m` of where it stood when the episode began."""

    said: ClassVar[bool] = False

    kind: Literal["undisturbed"]
    objects: Annotated[tuple[str, ...], Field(min_length=1, max_length=16)]
    within_m: Tolerance

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield from ((name, kinds_with("free")) for name in self.objects)

    def _moved_m(self, view: SceneView) -> float:
        return max(length_m(view.centre(name) - view.start[name][0]) for name in self.objects)

    def holds(self, view: SceneView) -> bool:
        return self._moved_m(view) <= self.within_m

    def progress(self, view: SceneView) -> float:
        return nearness(self._moved_m(view) - self.within_m, FALL_M)
