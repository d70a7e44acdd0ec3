"""A low platform to put things on; in: half extents; out: a fixed solid body."""

from typing import Literal

import mujoco

from sim_finetune.objects.base import Solid


class Stand(Solid):
    """A platform too high to push a block onto. half_extents_m: (x, y, z)."""

    kind: Literal["stand"]

    @property
    def words(self) -> str:
        return f"{self.colour} stand"

    def add_to(self, scene: mujoco.MjSpec) -> None:
        body = scene.worldbody.add_body(name=self.name, mocap=True)
        body.add_geom(
            name=self.name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=self.half_extents_m,
            rgba=self.rgba,
            friction=[1, 0.01, 0.0002],
        )
        body.add_site(name=self.site("top"), pos=[0, 0, self.half_extents_m[2]], size=[0.002] * 3, rgba=[0, 0, 0, 0])
