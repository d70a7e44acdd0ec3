"""A laptop; in: half extents when shut and travel; out: a fixed base whose screen flips open about its back edge."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.lid import Lidded
from sim_finetune.objects.parts import DARK, GHOST, add_base, add_box


class Laptop(Lidded):
    """A laptop, its screen's tab at −y. half_extents_m: (x, y, z) of the base, without the screen."""

    least_half_m: ClassVar = (0.04, 0.03, 0.004)

    kind: Literal["laptop"]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        x, y, z = self.half_extents_m
        base = add_base(scene, self.name, self.half_extents_m)
        add_box(base, self.site("keys"), [0.85 * x, 0.5 * y, 0.001], [0, 0.3 * y, z], rgba=DARK, **GHOST)
        lid = self.add_lid(scene, base)
        add_box(lid, self.site("screen"), [0.9 * x, 0.85 * y, 0.0005], [0, -y, 0], rgba=DARK, mass=0, **GHOST)
