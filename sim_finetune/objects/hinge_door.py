"""A door that stands free between two posts; in: half extents and travel; out: a fixed frame and a hinged panel."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.base import Turning
from sim_finetune.objects.parts import (
    BOARD_KG_M3,
    GREY,
    add_bounds,
    add_box,
    add_fixed,
    add_moving,
    add_post,
    add_site,
    hinge,
)
from sim_finetune.objects.swing import swing_radius_m

POST_M = 0.010  # half width of the frame
PANEL_M = 0.006  # half thickness


class HingeDoor(Turning):
    """A door hinged at its left, opening towards its own −y. half_extents_m: (x, y, z) of the frame."""

    motion: ClassVar = "hinge"
    least_half_m: ClassVar = (0.04, 0.01, 0.03)
    noun: ClassVar = "door"

    kind: Literal["hinge_door"]

    @property
    def _width_m(self) -> float:
        """From the hinge to the door's free edge."""
        return 2 * (self.half_extents_m[0] - 2 * POST_M)

    @property
    def radius_m(self) -> float:
        corner, hinge_x = super().radius_m, -self._width_m / 2
        return max(corner, swing_radius_m((hinge_x, 0.0), self._width_m, self.travel_rad))

    def add_to(self, scene: mujoco.MjSpec) -> None:
        x, y, z = self.half_extents_m
        frame = add_fixed(scene, self.name)
        add_bounds(frame, self.name, self.half_extents_m)
        for side, sign in (("left", -1), ("right", 1)):
            add_box(frame, self.site(side), [POST_M, y, z], [sign * (x - POST_M), 0, 0], rgba=GREY)
        add_box(frame, self.site("sill"), [x, y, 0.002], [0, 0, 0.002 - z], rgba=GREY)
        add_site(frame, self.site("top"), [0, 0, z])
        self._add_door(scene, frame)

    def _add_door(self, scene: mujoco.MjSpec, frame: mujoco.MjsBody) -> None:
        """The panel, turning about its left edge, with an upright bar before its free edge."""
        width, z = self._width_m, self.half_extents_m[2]
        door = add_moving(scene, frame, self.site("door"), pos=[-width / 2, 0, 0])
        door.add_joint(name=self.joint_name, **hinge(self.travel_rad, self.damping, 0.01, axis=[0, 0, -1]))
        look = {"rgba": self.rgba, "density": BOARD_KG_M3}
        add_box(door, self.site("panel"), [width / 2, PANEL_M, z - 0.005], [width / 2, 0, 0.005], **look)
        bar_x, bar_y = width - 0.015, -PANEL_M - 0.012
        add_post(door, self.name, [bar_x, bar_y, 0], z, (bar_y, -bar_x), **look)
