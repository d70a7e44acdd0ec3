"""A free block; in: half extents; out: a body with a free joint."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.base import Solid

DENSITY_KG_M3 = 400.0  # pine wood
# Sliding friction of rubber-covered toy blocks on a gripper pad; torsional and rolling as small lengths [m].
FRICTION = [1.0, 0.01, 0.0002]


class Block(Solid):
    """A block to touch, push or carry. half_extents_m: (x, y, z)."""

    kind: Literal["block"]
    free: ClassVar[bool] = True

    @property
    def words(self) -> str:
        return f"{self.colour} block"

    def add_to(self, scene: mujoco.MjSpec) -> None:
        body = scene.worldbody.add_body(name=self.name)
        body.add_freejoint(name=self.name)
        body.add_geom(
            name=self.name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=self.half_extents_m,
            rgba=self.rgba,
            density=DENSITY_KG_M3,
            friction=FRICTION,
            condim=4,  # torsion too, or a grasped block swings about the pads
        )
        body.add_site(name=self.site("top"), pos=[0, 0, self.half_extents_m[2]], size=[0.002] * 3, rgba=[0, 0, 0, 0])
