"""Statements about several objects at once: a pattern, an order, each at its own place, joined by a rope."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

import numpy as np
from jaxtyping import Float
from pydantic import Field, model_validator
from scipy.optimize import linear_sum_assignment

from sim_finetune.placement import pattern_offsets
from sim_finetune.predicates.base import FALL_M, Names, Predicate, Tolerance, kinds_with, nearness
from sim_finetune.predicates.places import AREAS, aside_m, hollow_gap_m, rests_on, within_area
from sim_finetune.predicates.view import SceneView, mean

ENDS = ("start", "end")  # sites of a rope
Pairs = Annotated[tuple[tuple[str, str], ...], Field(min_length=1, max_length=16)]


class LayoutMatches(Predicate):
    """The objects stand in a pattern, each within `within_m` of its place; wherever the pattern lies, however turned.

    In a line, grid or ring any object may take any place, `pitch_m` apart, on one level; a stack goes from the bottom
    up in the order of `objects`.
    """

    kind: Literal["layout_matches"]
    objects: Names
    layout: Literal["line", "grid", "ring", "stack"]
    pitch_m: Annotated[float, Field(gt=0, le=0.3)] | None = None
    within_m: Tolerance

    @model_validator(mode="after")
    def _has_its_pitch(self) -> Self:
        if self.pitch_m is None and self.layout != "stack":
            raise ValueError(f"a {self.layout} needs pitch_m, the distance between neighbours")
        return self

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield from ((name, kinds_with("free")) for name in self.objects)

    def _off_m(self, view: SceneView) -> float:
        """How far the worst object is from its place [m]."""
        if self.layout == "stack":
            pairs = zip(self.objects[1:], self.objects, strict=False)
            return max(float(np.hypot(aside_m(view, *pair), _gap_m(view, *pair))) for pair in pairs)
        assert self.pitch_m is not None
        places = np.stack([view.centre(name)[:2] for name in self.objects])
        heights = [view.lowest_m(name) for name in self.objects]
        off = pattern_error(places, pattern_offsets(self.layout, len(places), self.pitch_m))
        return max(off, max(heights) - min(heights))

    def holds(self, view: SceneView) -> bool:
        return self._off_m(view) <= self.within_m

    def progress(self, view: SceneView) -> float:
        return nearness(self._off_m(view) - self.within_m, FALL_M)


def _gap_m(view: SceneView, name: str, support: str) -> float:
    return view.lowest_m(name) - float(view.site(f"{support}/top")[2])


def pattern_error(places: Float[np.ndarray, "n 2"], offsets: Float[np.ndarray, "n 2"]) -> float:
    """Largest distance [m] between places and a pattern's, when that is moved, turned, mirrored and shared out best.

    Every way to give the first offset's direction to one of the places is a start; a least-squares turn refines it.
    """
    points, goals = places - places.mean(axis=0), offsets - offsets.mean(axis=0)
    ways = ((point, goals * [1, mirrored]) for point in points for mirrored in (1, -1))
    return min(_turned_error(points, goals, point) for point, goals in ways)


def _turned_error(points: Float[np.ndarray, "n 2"], goals: Float[np.ndarray, "n 2"], first: np.ndarray) -> float:
    """The error when goals[0] is turned towards `first`, or as near to that as fits all better."""
    turn, best = np.arctan2(first[1], first[0]) - np.arctan2(goals[0, 1], goals[0, 0]), np.inf
    for _ in range(2):
        turned = goals @ _rotation(turn).T
        who, where = linear_sum_assignment(((points[:, None] - turned[None]) ** 2).sum(-1))
        best = min(best, float(np.linalg.norm(points[who] - turned[where], axis=1).max()))
        cross = goals[where, 0] * points[who, 1] - goals[where, 1] * points[who, 0]
        turn = np.arctan2(cross.sum(), (goals[where] * points[who]).sum())
    return best


def _rotation(angle_rad: float) -> Float[np.ndarray, "2 2"]:
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cosine, -sine], [sine, cosine]])


class SortedBy(Predicate):
    """Along the axis the objects grow: of two, the larger (or higher) one stands at least `gap_m` further on."""

    kind: Literal["sorted_by"]
    objects: Names
    by: Literal["size", "height"]
    axis: Literal["x", "y"]
    gap_m: Annotated[float, Field(ge=0, le=0.2)] = 0.01

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield from ((name, kinds_with("free")) for name in self.objects)

    def progress(self, view: SceneView) -> float:
        """Share of the pairs of unlike objects that stand in order."""
        along = "xy".index(self.axis)
        rows = [(self._measure(view, name), float(view.centre(name)[along])) for name in self.objects]
        pairs = [(one, two) for one in rows for two in rows if one[0] < two[0]]
        return mean([two[1] - one[1] >= self.gap_m for one, two in pairs]) if pairs else 1.0

    def _measure(self, view: SceneView, name: str) -> float:
        """Volume of the box around it [m³] or its height [m], rounded: equal twins are no pair."""
        half = view.half_extents(name)
        return round(float(np.prod(2 * half) if self.by == "size" else 2 * half[2]), 9)

    def holds(self, view: SceneView) -> bool:
        return self.progress(view) == 1.0


class Assigned(Predicate):
    """Every object is at its own place: in a hollow, in a painted area, or on top of the middle of anything else.

    pairs: (object, place); within_m: from a place's middle, where it is not a hollow or an area.
    """

    kind: Literal["assigned"]
    pairs: Pairs
    within_m: Tolerance = 0.03

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for name, place in self.pairs:
            yield name, kinds_with("free")
            yield place, ()

    def _at_home(self, view: SceneView, name: str, place: str) -> bool:
        if view.has_site(place, "inside"):
            return hollow_gap_m(view, name, place) == 0
        if view.spec.object(place).kind in AREAS:
            return within_area(view, view.centre(name)[None], place) == 1.0 and rests_on(view, name, place, np.inf)
        return rests_on(view, name, place, self.within_m)

    def holds(self, view: SceneView) -> bool:
        return all(self._at_home(view, *pair) for pair in self.pairs)

    def progress(self, view: SceneView) -> float:
        homes = [
            1.0 if self._at_home(view, *pair) else 0.9 * nearness(aside_m(view, *pair), FALL_M) for pair in self.pairs
        ]
        return mean(homes)


class RopeBetween(Predicate):
    """The rope's two ends are within `within_m` (horizontal) of two objects, either way round."""

    kind: Literal["rope_between"]
    rope: str
    first: str
    second: str
    within_m: Tolerance = 0.03

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.rope, ("rope",)
        yield self.first, ()
        yield self.second, ()

    def sites(self) -> Iterator[tuple[str, str]]:
        yield from ((self.rope, end) for end in ENDS)

    def _off_m(self, view: SceneView) -> float:
        ends = np.stack([view.site(f"{self.rope}/{end}")[:2] for end in ("start", "end")])
        goals = np.stack([view.site(f"{name}/top")[:2] for name in (self.first, self.second)])
        ways = (goals, goals[::-1])
        return min(float(np.linalg.norm(ends - way, axis=1).max()) for way in ways)

    def holds(self, view: SceneView) -> bool:
        return self._off_m(view) <= self.within_m

    def progress(self, view: SceneView) -> float:
        return nearness(self._off_m(view) - self.within_m, FALL_M)
