"""Doors hinged at their left, from their own +x towards −y; in: lengths [m], angles [rad]; out: reach, a panel, a bar."""

from abc import abstractmethod
from typing import ClassVar

import mujoco
import numpy as np

from sim_finetune.objects.base import Turning
from sim_finetune.objects.parts import BOARD_KG_M3, add_box, add_moving, add_post, hinge

BEYOND_M = 0.02  # a handle's bar and brackets
INSET_M = 0.015  # of the bar from the door's free edge


def swing_radius_m(hinge_m: tuple[float, float], width_m: float, travel_rad: float) -> float:
    """Largest distance from the origin that a door of that width reaches on its way."""
    turn = np.linspace(0, travel_rad, 32)
    reach = width_m + BEYOND_M
    x, y = hinge_m[0] + reach * np.cos(turn), hinge_m[1] - reach * np.sin(turn)
    return float(np.hypot(x, y).max())


class Swinging(Turning):
    """A fixed object with a door."""

    motion: ClassVar = "hinge"

    @property
    @abstractmethod
    def hinge_m(self) -> tuple[float, float]:
        """(x, y) of the hinge."""

    @property
    @abstractmethod
    def width_m(self) -> float:
        """From the hinge to the door's free edge."""

    @property
    def radius_m(self) -> float:
        return max(super().radius_m, swing_radius_m(self.hinge_m, self.width_m, self.travel_rad))

    def add_door(
        self,
        scene: mujoco.MjSpec,
        fixed: mujoco.MjsBody,
        *,
        half_m: tuple[float, float],
        middle_m: tuple[float, float],
        gap_m: float,
    ) -> None:
        """The panel, half extents and middle along (y, z), with an upright bar `gap_m` before its free edge."""
        door = add_moving(scene, fixed, self.site("door"), pos=[*self.hinge_m, 0])
        door.add_joint(name=self.joint_name, **hinge(self.travel_rad, self.damping, 0.01, axis=[0, 0, -1]))
        look = {"rgba": self.rgba, "density": BOARD_KG_M3}
        add_box(door, self.site("panel"), [self.width_m / 2, *half_m], [self.width_m / 2, *middle_m], **look)
        bar_x, bar_y = self.width_m - INSET_M, middle_m[0] - half_m[0] - gap_m
        add_post(door, self.name, [bar_x, bar_y, 0], self.half_extents_m[2], (bar_y, -bar_x), **look)
