"""Statements about where an object lies: in a zone, on or inside another object, how high; and a pile swept together."""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from sim_finetune.predicates.base import FALL_M, RESTING_M, Predicate, Share, Tolerance, kinds_with, nearness
from sim_finetune.predicates.view import SceneView, length_m, pieces

AREAS = ("zone", "square")
FOOTPRINT = np.stack(np.meshgrid(np.linspace(-1, 1, 7), np.linspace(-1, 1, 7), [-1.0], indexing="ij"), -1).reshape(
    -1, 3
)


SLACK_M = np.array([0, 0, RESTING_M])  # below a hollow only: what lies on a lid, which may be 6 mm thick, is not inside


def aside_m(view: SceneView, name: str, other: str) -> float:
    """Horizontal distance between the tops' middles of two objects [m]."""
    return length_m((view.site(f"{name}/top") - view.site(f"{other}/top"))[:2])


def within_area(view: SceneView, points: np.ndarray, area: str) -> float:
    """Share of points (n, 3) [m] that lie over a painted rectangle."""
    local = (points - view.centre(area)) @ view.axes(area)
    within = np.abs(local[:, :2]) <= view.half_extents(area)[:2]
    return float(np.count_nonzero(within[:, 0] & within[:, 1]) / len(points))


def footprint(view: SceneView, name: str) -> np.ndarray:
    """A 7 × 7 grid of points (49, 3) [m] over an object's underside."""
    return view.centre(name) + (FOOTPRINT * view.half_extents(name)) @ view.axes(name).T


def at_top(view: SceneView, name: str, support: str) -> bool:
    """Whether its lowest point is at the height of the support's top."""
    return bool(abs(view.lowest_m(name) - view.site(f"{support}/top")[2]) <= RESTING_M)


def rests_on(view: SceneView, name: str, support: str, within_m: float) -> bool:
    """Whether its lowest point is at the support's top, centres within `within_m` (horizontal)."""
    return at_top(view, name, support) and aside_m(view, name, support) <= within_m


def hollow_gap_m(view: SceneView, name: str, container: str) -> float:
    """How far the middle of an object's bottom is outside a container's hollow [m]; 0 inside."""
    bottom = np.array([*view.centre(name)[:2], view.lowest_m(name)])
    hollow = f"{container}/inside"
    local, half = (bottom - view.site(hollow)) @ view.site_axes(hollow), view.site_half_extents(hollow)
    return length_m(np.maximum(np.maximum(local - half, -local - half - SLACK_M), 0))


class InZone(Predicate):
    """At least `fraction` of the object's footprint lies in the zone, and the object rests on the table."""

    kind: Literal["in_zone"]
    object: str
    zone: str
    fraction: Share

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, kinds_with("free")
        yield self.zone, AREAS

    def covered(self, view: SceneView) -> float:
        """Share of a 7 × 7 grid over the object's footprint that lies inside the zone."""
        return within_area(view, footprint(view, self.object), self.zone)

    def holds(self, view: SceneView) -> bool:
        return view.lowest_m(self.object) <= RESTING_M and self.covered(view) >= self.fraction

    def progress(self, view: SceneView) -> float:
        return 1.0 if self.holds(view) else 0.9 * nearness(aside_m(view, self.object, self.zone), FALL_M)


class OnTop(Predicate):
    """The object rests on the support: lowest point at the support's top, centres within `within_m` (horizontal)."""

    kind: Literal["on_top"]
    object: str
    support: str
    within_m: Tolerance

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, kinds_with("free")
        yield self.support, ()

    def holds(self, view: SceneView) -> bool:
        return rests_on(view, self.object, self.support, self.within_m)

    def gone(self, view: SceneView) -> bool:
        """It rests on no part of the support, however far from its middle."""
        over = within_area(view, footprint(view, self.object), self.support) > 0
        return not (at_top(view, self.object, self.support) and over)

    def progress(self, view: SceneView) -> float:
        return 1.0 if self.holds(view) else 0.9 * nearness(aside_m(view, self.object, self.support), FALL_M)


class Inside(Predicate):
    """The middle of the object's bottom is in the container's hollow."""

    kind: Literal["inside"]
    object: str
    container: str

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, kinds_with("free")
        yield self.container, ()

    def sites(self) -> Iterator[tuple[str, str]]:
        yield self.container, "inside"

    def holds(self, view: SceneView) -> bool:
        return hollow_gap_m(view, self.object, self.container) == 0

    def progress(self, view: SceneView) -> float:
        gap_m = hollow_gap_m(view, self.object, self.container)
        return 1.0 if gap_m == 0 else 0.9 * nearness(gap_m, FALL_M)


class HeightAbove(Predicate):
    """The object's lowest point is at least `above_m` over the table."""

    kind: Literal["height_above"]
    object: str
    above_m: Annotated[float, Field(gt=0, le=0.5)]

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, kinds_with("free")

    def holds(self, view: SceneView) -> bool:
        return view.lowest_m(self.object) >= self.above_m

    def progress(self, view: SceneView) -> float:
        return float(np.clip(view.lowest_m(self.object) / self.above_m, 0, 1))


class Swept(Predicate):
    """At least `fraction` of a pile's pieces lie over the zone."""

    kind: Literal["swept"]
    pile: str
    zone: str
    fraction: Share

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.pile, ("pile",)
        yield self.zone, AREAS

    def holds(self, view: SceneView) -> bool:
        return within_area(view, pieces(view, self.pile), self.zone) >= self.fraction

    def progress(self, view: SceneView) -> float:
        return min(within_area(view, pieces(view, self.pile), self.zone) / self.fraction, 1.0)
