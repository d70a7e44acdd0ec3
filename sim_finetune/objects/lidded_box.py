"""A box with a lid; in: outer half extents and travel; out: a fixed box whose lid flips open about its back edge."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.base import Turning
from sim_finetune.objects.lid import Lid, add_lid
from sim_finetune.objects.parts import (
    FRICTION,
    GREY,
    add_bounds,
    add_fixed,
    add_inside,
    add_site,
    add_tray,
    tray_hollow_m,
)

WALL_M, LID_M = 0.003, 0.003  # half thicknesses


class LiddedBox(Turning):
    """A box to open and put things in. half_extents_m: (x, y, z) outer, without the lid; the lid's fin is at −y."""

    motion: ClassVar = "flip"
    least_half_m: ClassVar = (0.03, 0.03, 0.015)
    noun: ClassVar = "box"

    kind: Literal["lidded_box"]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        x, y, z = self.half_extents_m
        box = add_fixed(scene, self.name)
        add_bounds(box, self.name, self.half_extents_m)
        add_tray(box, self.name, self.half_extents_m, WALL_M, rgba=GREY, friction=FRICTION)
        add_inside(box, self.name, tray_hollow_m(self.half_extents_m, WALL_M), [0, 0, WALL_M])
        lid = Lid(half_m=(x, y, LID_M), hinge_m=(y, z))
        body = add_lid(
            scene, box, self.joint_name, lid, travel_rad=self.travel_rad, damping=self.damping, rgba=self.rgba
        )
        add_site(body, self.site("top"), [0, -y, 2 * LID_M])
