"""A free ring; in: radius and thickness; out: a body with a free joint, of twelve round bars."""

import math
from typing import Annotated, Literal

import mujoco
from pydantic import Field

from sim_finetune.objects.base import Graspable
from sim_finetune.objects.parts import DENSITY_KG_M3, GRIPPED, add_bar, add_bounds, add_free, add_grasp, add_site
from sim_finetune.objects.round import Round

SIDES = 12


class Ring(Round, Graspable):
    """A ring that lies flat, taken at +x. size_m: (radius of its middle line, radius of the bar)."""

    kind: Literal["ring"]
    size_m: tuple[Annotated[float, Field(ge=0.02, le=0.1)], Annotated[float, Field(ge=0.005, le=0.02)]]

    @property
    def bounds_m(self) -> tuple[float, float, float]:
        return sum(self.size_m), sum(self.size_m), self.size_m[1]

    @property
    def grasp_width_m(self) -> float:
        return 2 * self.size_m[1]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        radius, bar = self.size_m
        body = add_free(scene, self.name)
        add_bounds(body, self.name, self.bounds_m)
        mass = (
            DENSITY_KG_M3 * 2 * (math.pi * bar) ** 2 * radius / SIDES
        )  # the bars overlap: a density would count twice
        corners = [2 * math.pi * i / SIDES for i in range(SIDES + 1)]
        points = [[radius * math.cos(turn), radius * math.sin(turn), 0] for turn in corners]
        for i in range(SIDES):
            add_bar(body, self.site(f"bar{i + 1}"), points[i], points[i + 1], bar, rgba=self.rgba, mass=mass, **GRIPPED)
        add_site(body, self.site("top"), [0, 0, bar])
        add_grasp(body, self.name, [radius, 0], bar, along_y=False)
