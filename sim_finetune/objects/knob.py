"""A knob; in: half extents and travel; out: a fixed base and a disc with a grip, turning about the vertical."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.base import Turning
from sim_finetune.objects.parts import GRIPPED, PLASTIC_KG_M3, add_base, add_box, add_moving, add_site, hinge

DISC_M = 0.006  # half height
GRIP_HALF_M = (0.007, 0.018)  # half thickness and half height of the grip


class Knob(Turning):
    """A turning knob, off at 0 and clockwise (seen from above) to travel_rad. half_extents_m: (x, y, z) of base."""

    motion: ClassVar = "turn"
    least_half_m: ClassVar = (0.02, 0.02, 0.008)

    kind: Literal["knob"]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        x, y, z = self.half_extents_m
        base = add_base(scene, self.name, self.half_extents_m)
        knob = add_moving(scene, base, self.site("knob"), pos=[0, 0, z])
        knob.add_joint(name=self.joint_name, **hinge(self.travel_rad, self.damping, 0.01, axis=[0, 0, -1]))
        look, radius = {"rgba": self.rgba, "density": PLASTIC_KG_M3, **GRIPPED}, 0.85 * min(x, y)
        disc = mujoco.mjtGeom.mjGEOM_CYLINDER
        knob.add_geom(name=self.site("disc"), type=disc, size=[radius, DISC_M, 0], pos=[0, 0, DISC_M], **look)
        thick, tall = GRIP_HALF_M
        add_box(knob, self.site("grip"), [thick, radius, tall], [0, 0, 2 * DISC_M + tall], **look)
        add_site(knob, self.site("top"), [0, 0, 2 * (DISC_M + tall)])
        add_site(knob, self.site("handle"), [0, 0, 2 * DISC_M + tall])
