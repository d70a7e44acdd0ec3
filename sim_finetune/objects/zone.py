"""A coloured area painted on the table; in: half extents; out: a fixed body that touches nothing."""

from typing import Literal

import mujoco
import numpy as np

from sim_finetune.objects.base import Metres, SceneObject

THICKNESS_M = 0.001  # just enough not to flicker against the table when drawn


class Zone(SceneObject):
    """A rectangle on the table. half_extents_m: (x, y)."""

    kind: Literal["zone"]
    half_extents_m: tuple[Metres, Metres]

    @property
    def words(self) -> str:
        return f"{self.colour} zone"

    @property
    def radius_m(self) -> float:
        return float(np.hypot(*self.half_extents_m))

    @property
    def rest_height_m(self) -> float:
        return 0.0

    @property
    def bounds_m(self) -> tuple[float, float, float]:
        return (*self.half_extents_m, THICKNESS_M)

    def add_to(self, scene: mujoco.MjSpec) -> None:
        body = scene.worldbody.add_body(name=self.name, mocap=True)
        body.add_geom(
            name=self.name,
            type=mujoco.mjtGeom.mjGEOM_BOX,
            size=[*self.half_extents_m, THICKNESS_M],
            rgba=self.rgba,
            contype=0,
            conaffinity=0,
        )
        body.add_site(name=self.site("top"), pos=[0, 0, THICKNESS_M], size=[0.002] * 3, rgba=[0, 0, 0, 0])
