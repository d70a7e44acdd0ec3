"""A laptop; in: half extents when shut and travel; out: a fixed base whose screen flips open about its back edge."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.base import Turning
from sim_finetune.objects.lid import Lid, add_lid
from sim_finetune.objects.parts import DARK, GHOST, add_base, add_box, add_site

SCREEN_M = 0.003  # half thickness


class Laptop(Turning):
    """A laptop, its screen's tab at −y. half_extents_m: (x, y, z) of the base, without the screen."""

    motion: ClassVar = "flip"
    least_half_m: ClassVar = (0.04, 0.03, 0.004)

    kind: Literal["laptop"]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        x, y, z = self.half_extents_m
        base = add_base(scene, self.name, self.half_extents_m)
        add_box(base, self.site("keys"), [0.85 * x, 0.5 * y, 0.001], [0, 0.3 * y, z], rgba=DARK, **GHOST)
        lid = Lid(half_m=(x, y, SCREEN_M), hinge_m=(y, z))
        body = add_lid(
            scene, base, self.joint_name, lid, travel_rad=self.travel_rad, damping=self.damping, rgba=self.rgba
        )
        add_box(body, self.site("screen"), [0.9 * x, 0.85 * y, 0.0005], [0, -y, 0], rgba=DARK, mass=0, **GHOST)
        add_site(body, self.site("top"), [0, -y, 2 * SCREEN_M])
