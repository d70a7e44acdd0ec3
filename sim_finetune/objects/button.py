"""A push button; in: half extents and travel; out: a fixed base and a plunger that a spring pushes up."""

from typing import Annotated, ClassVar, Literal

import mujoco
from pydantic import Field

from sim_finetune.objects.base import Sliding
from sim_finetune.objects.parts import GRIPPED, add_base, add_moving, add_site, slide

# About 1 N to start and 3 N to the end: an arcade button's. [N at full travel]
PRELOAD_N, FULL_N = 1.0, 2.0
PLUNGER_KG = 0.01


class Button(Sliding):
    """A wide button that comes up again. half_extents_m: (x, y, z) of base; travel_m: how far it goes down."""

    motion: ClassVar = "press"
    least_half_m: ClassVar = (0.02, 0.02, 0.01)

    kind: Literal["button"]
    travel_m: Annotated[float, Field(ge=0.004, le=0.03)]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        x, y, z = self.half_extents_m
        base = add_base(scene, self.name, self.half_extents_m)
        plunger = add_moving(scene, base, self.site("plunger"), pos=[0, 0, z])
        stiffness = FULL_N / self.travel_m
        plunger.add_joint(
            name=self.joint_name,
            **slide(self.travel_m, self.damping, 0.0, axis=[0, 0, -1]),
            stiffness=[stiffness, 0, 0],
            springref=-PRELOAD_N / stiffness,
        )
        plunger.add_geom(
            name=self.site("cap"),
            type=mujoco.mjtGeom.mjGEOM_CYLINDER,
            size=[0.8 * min(x, y), self.travel_m / 2 + 0.002, 0],
            pos=[0, 0, self.travel_m / 2 + 0.002],
            rgba=self.rgba,
            mass=PLUNGER_KG,
            **GRIPPED,
        )
        cap = [0, 0, self.travel_m + 0.004]
        add_site(plunger, self.site("top"), cap)
        add_site(plunger, self.site("handle"), cap, [1, 0, 0, 0, 0, -1])
