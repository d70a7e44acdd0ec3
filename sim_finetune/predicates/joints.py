"""Statements about an articulated object's joint: how far open, pressed, switched on."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from sim_finetune.predicates.base import Predicate, Share, kinds_moving, kinds_with
from sim_finetune.predicates.view import SceneView

THROWN = 0.8  # share of its range beyond which a switch or button counts as on; off is as far from the other end


class JointFraction(Predicate):
    """The object's joint stands at `at_least` (or `at_most`) of its range (0 shut, 1 fully open)."""

    kind: Literal["joint_fraction"]
    object: str
    at_least: Share | None = None
    at_most: Annotated[float, Field(ge=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("joint_fraction needs at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"no joint is at least {self.at_least} and at most {self.at_most} of its range")
        return self

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, kinds_with("joint_name")

    def fraction(self, view: SceneView) -> float:
        return view.fraction(self.object)

    def holds(self, view: SceneView) -> bool:
        fraction = self.fraction(view)
        return (self.at_least is None or fraction >= self.at_least) and (
            self.at_most is None or fraction <= self.at_most
        )

    def progress(self, view: SceneView) -> float:
        fraction = self.fraction(view)
        opened = 1.0 if self.at_least is None else fraction / self.at_least
        shut = 1.0 if self.at_most is None else (1 - fraction) / (1 - self.at_most)
        return float(np.clip(min(opened, shut), 0, 1))


class Pressed(Predicate):
    """The button is down, now: it springs back when it is let go."""

    kind: Literal["pressed"]
    object: str

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, kinds_moving("press")

    def holds(self, view: SceneView) -> bool:
        return view.fraction(self.object) >= THROWN

    def progress(self, view: SceneView) -> float:
        return float(np.clip(view.fraction(self.object) / THROWN, 0, 1))


class Toggled(Predicate):
    """The switch is on (or off)."""

    kind: Literal["toggled"]
    object: str
    on: bool

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield self.object, kinds_with("joint_name")

    def _thrown(self, view: SceneView) -> float:
        fraction = view.fraction(self.object)
        return fraction if self.on else 1 - fraction

    def holds(self, view: SceneView) -> bool:
        return self._thrown(view) >= THROWN

    def progress(self, view: SceneView) -> float:
        return float(np.clip(self._thrown(view) / THROWN, 0, 1))
