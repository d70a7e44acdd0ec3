"""A free block; in: half extents; out: a body with a free joint."""

from typing import Literal

import mujoco

from sim_finetune.objects.base import Graspable, Solid
from sim_finetune.objects.parts import DENSITY_KG_M3, GRIPPED, add_box, add_free, add_grasp, add_site


class Block(Solid, Graspable):
    """A block to touch, push or carry. half_extents_m: (x, y, z)."""

    kind: Literal["block"]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        body, (x, y, z) = add_free(scene, self.name), self.half_extents_m
        add_box(body, self.name, [x, y, z], [0, 0, 0], rgba=self.rgba, density=DENSITY_KG_M3, **GRIPPED)
        add_site(body, self.site("top"), [0, 0, z])
        add_grasp(body, self.name, [0, 0], z, along_y=y < x)
