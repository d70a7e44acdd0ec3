"""A box with a lid; in: outer half extents and travel; out: a fixed box whose lid flips open about its back edge."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.lid import Lidded
from sim_finetune.objects.parts import FRICTION, GREY, add_bounds, add_fixed, add_inside, add_tray, tray_hollow_m

WALL_M = 0.003  # half thickness


class LiddedBox(Lidded):
    """A box to open and put things in. half_extents_m: (x, y, z) outer, without the lid; the lid's fin is at −y."""

    least_half_m: ClassVar = (0.03, 0.03, 0.015)
    noun: ClassVar = "box"

    kind: Literal["lidded_box"]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        box = add_fixed(scene, self.name)
        add_bounds(box, self.name, self.half_extents_m)
        add_tray(box, self.name, self.half_extents_m, WALL_M, rgba=GREY, friction=FRICTION)
        add_inside(box, self.name, tray_hollow_m(self.half_extents_m, WALL_M), [0, 0, WALL_M])
        self.add_lid(scene, box)
