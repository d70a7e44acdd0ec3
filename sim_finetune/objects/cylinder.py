"""A free upright cylinder; in: radius and half height; out: a body with a free joint."""

from typing import Literal

import mujoco

from sim_finetune.objects.base import Graspable, Metres
from sim_finetune.objects.parts import DENSITY_KG_M3, GRIPPED, add_free, add_grasp, add_site
from sim_finetune.objects.round import Round


class Upright(Round, Graspable):
    """A round thing that stands. size_m: (radius, half height)."""

    size_m: tuple[Metres, Metres]

    @property
    def bounds_m(self) -> tuple[float, float, float]:
        radius, half = self.size_m
        return radius, radius, half

    def add_to(self, scene: mujoco.MjSpec) -> None:
        radius, half = self.size_m
        body = add_free(scene, self.name)
        kind = mujoco.mjtGeom.mjGEOM_CYLINDER
        body.add_geom(
            name=self.name, type=kind, size=[radius, half, 0], rgba=self.rgba, density=DENSITY_KG_M3, **GRIPPED
        )
        add_site(body, self.site("top"), [0, 0, half])
        add_grasp(body, self.name, [0, 0], half, along_y=False)


class Cylinder(Upright):
    """A can or a disc, standing. size_m: (radius, half height)."""

    kind: Literal["cylinder"]
