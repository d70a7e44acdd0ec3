"""A free block; in: half extents; out: a body with a free joint."""

from typing import Literal

import mujoco

from sim_finetune.objects.base import Graspable, Solid
from sim_finetune.objects.parts import DENSITY_KG_M3, GRIPPED, add_free, add_grasp


class Block(Solid, Graspable):
    """A block to touch, push or carry. half_extents_m: (x, y, z)."""

    kind: Literal["block"]

    @property
    def words(self) -> str:
        return f"{self.colour} block"

    @property
    def grasp_width_m(self) -> float:
        return 2 * min(self.half_extents_m[:2])

    def add_to(self, scene: mujoco.MjSpec) -> None:
        body = add_free(scene, self.name)
        body.add_geom(
            name=self.name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=self.half_extents_m,
            rgba=self.rgba,
            density=DENSITY_KG_M3,
            **GRIPPED,
        )
        body.add_site(name=self.site("top"), pos=[0, 0, self.half_extents_m[2]], size=[0.002] * 3, rgba=[0, 0, 0, 0])
        x, y, z = self.half_extents_m
        add_grasp(body, self.name, [0, 0], z, along_y=y < x)
