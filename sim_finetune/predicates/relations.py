"""Statements about where an object lies on the table as others see it: near one, away from one, beside one, in a part."""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float
from pydantic import Field

from sim_finetune.placement import Region
from sim_finetune.predicates.base import FALL_M, RESTING_M, Predicate, Tolerance, kinds_with, nearness
from sim_finetune.predicates.view import SceneView, length_m

Side = Literal["left", "right", "front", "behind"]
# As the front camera sees it, which looks at the robot: its left is −y, and what is in front is nearer to it.
SIDES: dict[str, tuple[float, float]] = {"left": (0, -1), "right": (0, 1), "front": (1, 0), "behind": (-1, 0)}


class _OnTable(Predicate):
    """The object rests on the table, and nothing is left of `rest_m`, the way it still has to go [m]."""

    object: str

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, kinds_with("free")

    def rest_m(self, view: SceneView) -> float:
        """Horizontal distance that is still missing [m]; 0 or less is good."""
        raise NotImplementedError

    def holds(self, view: SceneView) -> bool:
        return view.lowest_m(self.object) <= RESTING_M and self.rest_m(view) <= 0

    def progress(self, view: SceneView) -> float:
        return 1.0 if self.holds(view) else 0.9 * nearness(self.rest_m(view), FALL_M)


class _ToAnother(_OnTable):
    other: str

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield from super().names()
        yield self.other, ()

    def away_m(self, view: SceneView) -> Float[np.ndarray, "2"]:
        """From the middle of the other to that of the object, seen from above [m]."""
        return (view.centre(self.object) - view.centre(self.other))[:2]


class Near(_ToAnother):
    """The object is on the table, its middle within `within_m` (horizontal) of the other's."""

    kind: Literal["near"]
    within_m: Tolerance

    def rest_m(self, view: SceneView) -> float:
        return length_m(self.away_m(view)) - self.within_m


class Apart(_ToAnother):
    """The object is on the table, its middle at least `at_least_m` (horizontal) away from the other's."""

    kind: Literal["apart"]
    at_least_m: Annotated[float, Field(gt=0, le=0.4)]

    def rest_m(self, view: SceneView) -> float:
        return self.at_least_m - length_m(self.away_m(view))


class Beside(_ToAnother):
    """The object is on the table within `within_m` (horizontal) of the point `offset_m` from the other's middle on a side."""

    kind: Literal["beside"]
    side: Side
    offset_m: Annotated[float, Field(gt=0, le=0.3)]
    within_m: Tolerance

    def rest_m(self, view: SceneView) -> float:
        return length_m(self.away_m(view) - self.offset_m * np.array(SIDES[self.side])) - self.within_m


class InRegion(_OnTable):
    """The object is on the table, its middle in `region_m` (x_min, y_min, x_max, y_max), which nothing marks."""

    kind: Literal["in_region"]
    region_m: Region

    def rest_m(self, view: SceneView) -> float:
        point, low, high = view.centre(self.object)[:2], np.array(self.region_m[:2]), np.array(self.region_m[2:])
        return length_m(np.maximum(np.maximum(low - point, point - high), 0))
