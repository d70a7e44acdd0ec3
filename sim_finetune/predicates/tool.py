"""Statements about the tool and an object: near it, away from it, holding it; and about what touches what."""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from sim_finetune.predicates.base import FALL_M, Predicate, Tolerance, kinds_with, nearness
from sim_finetune.predicates.view import SceneView, length_m, tool_prefix

OPPOSED = -0.5  # cosine between two normals: fingers from two sides, not two touches of one


class ToolNear(Predicate):
    """The tool is within `within_m` (3-D) of a point `above_m` over the object's top."""

    kind: Literal["tool_near"]
    object: str
    above_m: Annotated[float, Field(ge=0, le=0.1)]
    within_m: Tolerance

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, ()

    def distance_m(self, view: SceneView) -> float:
        goal = view.site(f"{self.object}/top") + np.array([0, 0, self.above_m])
        return length_m(view.site(view.tool) - goal)

    def holds(self, view: SceneView) -> bool:
        return self.distance_m(view) <= self.within_m

    def progress(self, view: SceneView) -> float:
        return nearness(self.distance_m(view) - self.within_m, FALL_M)


class Released(Predicate):
    """The tool is at least `clear_m` away from the object's top."""

    kind: Literal["released"]
    object: str
    clear_m: Tolerance

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, ()

    def holds(self, view: SceneView) -> bool:
        return length_m(view.site(view.tool) - view.site(f"{self.object}/top")) >= self.clear_m

    def progress(self, view: SceneView) -> float:
        return float(self.holds(view))


class Grasped(Predicate):
    """The robot touches the object from two opposite sides."""

    kind: Literal["grasped"]
    object: str

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, kinds_with("free")

    def holds(self, view: SceneView) -> bool:
        robot = tool_prefix(view)
        normals = np.array([normal for body, normal in view.touching(self.object) if body.startswith(robot)])
        return len(normals) > 1 and bool((normals @ normals.T).min() <= OPPOSED)

    def progress(self, view: SceneView) -> float:
        apart = length_m(view.site(view.tool) - view.centre(self.object))
        return 1.0 if self.holds(view) else 0.9 * nearness(apart, FALL_M)


class InContact(Predicate):
    """Two objects touch."""

    kind: Literal["in_contact"]
    object: str
    other: str

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, ()
        yield self.other, ()

    def holds(self, view: SceneView) -> bool:
        return any(f"{body}/".startswith(f"{self.other}/") for body, _ in view.touching(self.object))

    def progress(self, view: SceneView) -> float:
        apart = length_m(view.centre(self.object) - view.centre(self.other))
        return 1.0 if self.holds(view) else 0.9 * nearness(apart, FALL_M)
