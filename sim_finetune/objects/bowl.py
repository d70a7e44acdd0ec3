"""A free bowl; in: radius and half height; out: a foot, two rings of slanted wall, an inside and a rim to take."""

import math
from typing import Annotated, Literal

import mujoco
from pydantic import Field

from sim_finetune.objects.base import Graspable
from sim_finetune.objects.parts import FRICTION, GRIPPED, PLASTIC_KG_M3, add_bounds, add_free, add_inside, add_site
from sim_finetune.objects.round import Round

WALL_M = 0.003  # half thickness
SIDES = 12
FOOT = 0.55  # radius of the floor over radius of the rim


class Bowl(Round, Graspable):
    """A twelve-sided plastic bowl. size_m: (outer radius, half height); `top` is its floor; taken by the rim at +x."""

    kind: Literal["bowl"]
    size_m: tuple[Annotated[float, Field(ge=0.03, le=0.12)], Annotated[float, Field(ge=0.012, le=0.06)]]

    @property
    def bounds_m(self) -> tuple[float, float, float]:
        radius, half = self.size_m
        return radius, radius, half

    @property
    def grasp_width_m(self) -> float:
        return 2 * WALL_M

    def add_to(self, scene: mujoco.MjSpec) -> None:
        radius, half = self.size_m
        body = add_free(scene, self.name)
        add_bounds(body, self.name, self.bounds_m)
        floor, look = FOOT * radius, {"rgba": self.rgba, "density": PLASTIC_KG_M3}
        body.add_geom(
            name=self.site("floor"),
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            size=[floor, WALL_M, 0],
            pos=[0, 0, -half + WALL_M],
            friction=FRICTION,
            **look,
        )
        # The wall leaves the floor at a slant and ends upright, so that flat jaws close on the rim.
        self._add_wall(body, 1, (floor, -half + WALL_M), (radius - WALL_M, 0.0), look)
        self._add_wall(body, 2, (radius - WALL_M, 0.0), (radius - WALL_M, half), look)
        inner = floor * math.cos(math.pi / 4)  # of a square in the floor's circle
        add_inside(body, self.name, [inner, inner, half - WALL_M], [0, 0, WALL_M])
        add_site(body, self.site("top"), [0, 0, -half + 2 * WALL_M])
        add_site(body, self.site("grasp"), [radius - WALL_M, 0, half - 0.012])

    def _add_wall(
        self, body: mujoco.MjsBody, ring: int, low: tuple[float, float], high: tuple[float, float], look: dict
    ) -> None:
        """A ring of boards between two circles (radius, height)."""
        middle = ((low[0] + high[0]) / 2, (low[1] + high[1]) / 2)
        length, slant = math.dist(low, high), math.atan2(high[0] - low[0], high[1] - low[1])
        width = max(low[0], high[0]) * math.tan(math.pi / SIDES)
        for i in range(SIDES):
            turn = 2 * math.pi * i / SIDES
            cos, sin = math.cos(turn), math.sin(turn)
            outward = [cos * math.cos(slant), sin * math.cos(slant), -math.sin(slant)]
            body.add_geom(
                name=self.site(f"wall{ring}_{i + 1}"),
                type=mujoco.mjtGeom.mjGEOM_BOX,
                size=[WALL_M, width, length / 2],
                pos=[middle[0] * cos, middle[0] * sin, middle[1]],
                xyaxes=[*outward, -sin, cos, 0],
                **GRIPPED,
                **look,
            )
