"""A closed box with a hinged door in its front; in: outer half extents and travel; out: a fixed box, a door, an inside."""

from typing import ClassVar

import mujoco

from sim_finetune.objects.base import Turning
from sim_finetune.objects.parts import (
    BOARD_KG_M3,
    GREY,
    add_bounds,
    add_box,
    add_fixed,
    add_inside,
    add_moving,
    add_post,
    add_site,
    hinge,
)
from sim_finetune.objects.swing import swing_radius_m

WALL_M, DOOR_M = 0.004, 0.005  # half thicknesses


class Hutch(Turning):
    """Cabinets and ovens: the door is hinged at the left of the front (own −y) and has an upright bar at its right,
    which rises over the lid. panel: share of the front, at its right, that the door leaves to a fixed panel.
    """

    motion: ClassVar = "hinge"
    least_half_m: ClassVar = (0.05, 0.04, 0.03)
    panel: ClassVar[float] = 0.0

    @property
    def _width_m(self) -> float:
        """From the hinge to the door's free edge."""
        return 2 * self.half_extents_m[0] * (1 - self.panel)

    @property
    def radius_m(self) -> float:
        x, y, _ = self.half_extents_m
        return max(super().radius_m, swing_radius_m((-x, -y), self._width_m, self.travel_rad))

    def add_to(self, scene: mujoco.MjSpec) -> None:
        box = add_fixed(scene, self.name)
        add_bounds(box, self.name, self.half_extents_m)
        self._add_walls(box)
        self._add_door(scene, box)

    def _add_walls(self, box: mujoco.MjsBody) -> None:
        """Floor, lid, back, left, and a right as thick as the panel is wide; the front stays open."""
        x, y, z = self.half_extents_m
        right = max(WALL_M, x - self._width_m / 2)
        walls = {
            "floor": ([x, y, WALL_M], [0, 0, WALL_M - z]),
            "lid": ([x, y, WALL_M], [0, 0, z - WALL_M]),
            "back": ([x, WALL_M, z - 2 * WALL_M], [0, y - WALL_M, 0]),
            "left": ([WALL_M, y - WALL_M, z - 2 * WALL_M], [WALL_M - x, -WALL_M, 0]),
            "right": ([right, y - WALL_M, z - 2 * WALL_M], [x - right, -WALL_M, 0]),
        }
        for part, (size, pos) in walls.items():
            add_box(box, self.site(part), size, pos, rgba=GREY)
        inner = [x - WALL_M - right, y - WALL_M, z - 2 * WALL_M]
        add_inside(box, self.name, inner, [WALL_M - right, -WALL_M, 0])
        add_site(box, self.site("top"), [0, 0, z])

    def _add_door(self, scene: mujoco.MjSpec, box: mujoco.MjsBody) -> None:
        (x, y, z), width = self.half_extents_m, self._width_m
        door = add_moving(scene, box, self.site("door"), pos=[-x, -y, 0])
        door.add_joint(name=self.joint_name, **hinge(self.travel_rad, self.damping, 0.01, axis=[0, 0, -1]))
        look = {"rgba": self.rgba, "density": BOARD_KG_M3}
        add_box(door, self.site("panel"), [width / 2, DOOR_M, z - 0.002], [width / 2, -DOOR_M, 0], **look)
        bar_x, bar_y = width - 0.015, -2 * DOOR_M - 0.010
        add_post(door, self.name, [bar_x, bar_y, 0], z, (bar_y, -bar_x), **look)
