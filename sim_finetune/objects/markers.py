"""Marks painted on the table: a line, a corner, a square; in: half extents; out: fixed bodies that touch nothing."""

from abc import abstractmethod
from typing import Literal

import mujoco

from sim_finetune.objects.painted import THICKNESS_M, Painted
from sim_finetune.objects.parts import GHOST, add_bounds, add_box, add_fixed, add_site

STROKE_M = 0.007  # half width of the paint: thinner is lost in small pictures

Strip = tuple[float, float, float, float]  # middle (x, y) and half extents (x, y) [m]


class Marker(Painted):
    """Strips of paint within half_extents_m: (x, y)."""

    @abstractmethod
    def strips(self) -> list[Strip]:
        """What is painted."""

    def add_to(self, scene: mujoco.MjSpec) -> None:
        body = add_fixed(scene, self.name)
        add_bounds(body, self.name, self.bounds_m)
        for i, (x, y, half_x, half_y) in enumerate(self.strips(), start=1):
            size = [half_x, half_y, THICKNESS_M]
            add_box(body, self.site(f"strip{i}"), size, [x, y, 0], rgba=self.rgba, **GHOST)
        add_site(body, self.site("top"), [0, 0, THICKNESS_M])


class Line(Marker):
    """A straight stroke."""

    kind: Literal["line"]

    def strips(self) -> list[Strip]:
        return [(0.0, 0.0, *self.half_extents_m)]


class Corner(Marker):
    """Two strokes that meet at (−x, −y)."""

    kind: Literal["corner"]

    def strips(self) -> list[Strip]:
        x, y = self.half_extents_m
        return [(0.0, STROKE_M - y, x, STROKE_M), (STROKE_M - x, 0.0, STROKE_M, y)]


class Square(Marker):
    """The outline of a rectangle."""

    kind: Literal["square"]

    def strips(self) -> list[Strip]:
        x, y = self.half_extents_m
        level = [(0.0, sign * (y - STROKE_M), x, STROKE_M) for sign in (-1, 1)]
        return level + [(sign * (x - STROKE_M), 0.0, STROKE_M, y) for sign in (-1, 1)]
