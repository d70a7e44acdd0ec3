"""Goals as data; in: fields of a task spec and a running scene; out: whether it holds now, and progress in [0, 1]."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Annotated, Literal, NamedTuple

import mujoco
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

Tolerance = Annotated[float, Field(gt=0, le=0.2)]
RESTING_M = 0.01  # how far a resting bottom may be from what it rests on: contact softness and settling


class SceneView(NamedTuple):
    """What a goal may look at. tool: name of the body's tool site in this model."""

    model: mujoco.MjModel
    data: mujoco.MjData
    tool: str

    def site(self, name: str) -> np.ndarray:
        """Position of a site, (3,) [m, workspace frame]."""
        return self.data.site(name).xpos

    def corners(self, name: str) -> np.ndarray:
        """Eight corners of an object's box geom, (8, 3) [m]."""
        geom = self.data.geom(name)
        signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij"), -1).reshape(8, 3)
        return geom.xpos + (signs * self.model.geom(name).size) @ geom.xmat.reshape(3, 3).T


class Predicate(BaseModel, ABC):
    """A statement about the scene. `names` are objects it needs, with the kinds that make sense (empty: any)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @abstractmethod
    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """(object, allowed kinds) for each object the statement is about."""

    @abstractmethod
    def holds(self, view: SceneView) -> bool:
        """Whether it is true now."""

    @abstractmethod
    def progress(self, view: SceneView) -> float:
        """In [0, 1]; 1 when nothing is left to do. For rewards and logs, not for success."""


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
        return float(np.linalg.norm(view.site(view.tool) - goal))

    def holds(self, view: SceneView) -> bool:
        return self.distance_m(view) <= self.within_m

    def progress(self, view: SceneView) -> float:
        return float(np.exp(-max(self.distance_m(view) - self.within_m, 0.0) / 0.1))


class InZone(Predicate):
    """At least `fraction` of the object's footprint lies in the zone, and the object rests on the table."""

    kind: Literal["in_zone"]
    object: str
    zone: str
    fraction: Annotated[float, Field(gt=0, le=1)]

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, ("block",)
        yield self.zone, ("zone",)

    def covered(self, view: SceneView) -> float:
        """Share of a 7 × 7 grid over the object's footprint that lies inside the zone."""
        grid = np.linspace(-1, 1, 7)
        points = np.stack(np.meshgrid(grid, grid, [-1.0], indexing="ij"), -1).reshape(-1, 3)
        geom, zone = view.data.geom(self.object), view.data.geom(self.zone)
        world = geom.xpos + (points * view.model.geom(self.object).size) @ geom.xmat.reshape(3, 3).T
        local = (world - zone.xpos) @ zone.xmat.reshape(3, 3)
        return float(np.mean(np.all(np.abs(local[:, :2]) <= view.model.geom(self.zone).size[:2], axis=1)))

    def holds(self, view: SceneView) -> bool:
        return view.corners(self.object)[:, 2].min() <= RESTING_M and self.covered(view) >= self.fraction

    def progress(self, view: SceneView) -> float:
        distance = np.linalg.norm((view.site(f"{self.object}/top") - view.site(f"{self.zone}/top"))[:2])
        return 1.0 if self.holds(view) else float(0.9 * np.exp(-distance / 0.1))


class OnTop(Predicate):
    """The object rests on the support: lowest corner at the support's top, centres within `within_m` (horizontal)."""

    kind: Literal["on_top"]
    object: str
    support: str
    within_m: Tolerance

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, ("block",)
        yield self.support, ("stand", "block", "drawer")

    def holds(self, view: SceneView) -> bool:
        top = view.site(f"{self.support}/top")
        gap = view.corners(self.object)[:, 2].min() - top[2]
        return abs(gap) <= RESTING_M and self._aside_m(view) <= self.within_m

    def _aside_m(self, view: SceneView) -> float:
        return float(np.linalg.norm((view.site(f"{self.object}/top") - view.site(f"{self.support}/top"))[:2]))

    def progress(self, view: SceneView) -> float:
        return 1.0 if self.holds(view) else float(0.9 * np.exp(-self._aside_m(view) / 0.1))


class Released(Predicate):
    """The tool is at least `clear_m` away from the object's top."""

    kind: Literal["released"]
    object: str
    clear_m: Tolerance

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, ()

    def holds(self, view: SceneView) -> bool:
        return bool(np.linalg.norm(view.site(view.tool) - view.site(f"{self.object}/top")) >= self.clear_m)

    def progress(self, view: SceneView) -> float:
        return float(self.holds(view))


class JointFraction(Predicate):
    """The object's joint stands at `at_least` of its range (0 shut, 1 fully open)."""

    kind: Literal["joint_fraction"]
    object: str
    at_least: Annotated[float, Field(gt=0, le=1)]

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, ("drawer",)

    def fraction(self, view: SceneView) -> float:
        low, high = view.model.joint(f"{self.object}/slide").range
        return float((view.data.joint(f"{self.object}/slide").qpos[0] - low) / (high - low))

    def holds(self, view: SceneView) -> bool:
        return self.fraction(view) >= self.at_least

    def progress(self, view: SceneView) -> float:
        return float(np.clip(self.fraction(view) / self.at_least, 0, 1))


class AllOf(Predicate):
    """Every part holds."""

    kind: Literal["all"]
    parts: Annotated[tuple["AnyPredicate", ...], Field(min_length=1, max_length=8)]

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for part in self.parts:
            yield from part.names()

    def holds(self, view: SceneView) -> bool:
        return all(part.holds(view) for part in self.parts)

    def progress(self, view: SceneView) -> float:
        return float(np.mean([part.progress(view) for part in self.parts]))


AnyPredicate = Annotated[
    ToolNear | InZone | OnTop | Released | JointFraction | AllOf,
    Field(discriminator="kind"),
]
AllOf.model_rebuild()
