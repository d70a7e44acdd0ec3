"""A closed box with a hinged door in its front; in: outer half extents and travel; out: a fixed box, a door, an inside."""

from typing import ClassVar

import mujoco

from sim_finetune.objects.parts import GREY, add_bounds, add_box, add_fixed, add_inside, add_site
from sim_finetune.objects.swing import Swinging

WALL_M, DOOR_M = 0.004, 0.005  # half thicknesses


class Hutch(Swinging):
    """Cabinets and ovens: the door is hinged at the left of the front (own −y) and has an upright bar at its right,
    which rises over the lid. panel: share of the front, at its right, that the door leaves to a fixed panel.
    """

    least_half_m: ClassVar = (0.05, 0.04, 0.03)
    panel: ClassVar[float] = 0.0

    @property
    def hinge_m(self) -> tuple[float, float]:
        return -self.half_extents_m[0], -self.half_extents_m[1]

    @property
    def width_m(self) -> float:
        return 2 * self.half_extents_m[0] * (1 - self.panel)

    def add_to(self, scene: mujoco.MjSpec) -> None:
        box = add_fixed(scene, self.name)
        add_bounds(box, self.name, self.half_extents_m)
        self._add_walls(box)
        panel = (DOOR_M, self.half_extents_m[2] - 0.002)
        self.add_door(scene, box, half_m=panel, middle_m=(-DOOR_M, 0), gap_m=0.010)

    def _add_walls(self, box: mujoco.MjsBody) -> None:
        """Floor, lid, back, left, and a right as thick as the panel is wide; the front stays open."""
        x, y, z = self.half_extents_m
        right = max(WALL_M, x - self.width_m / 2)
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
