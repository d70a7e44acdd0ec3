"""A free L of two bars; in: outer half extents; out: a body with a free joint."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.base import Graspable, Solid
from sim_finetune.objects.parts import DENSITY_KG_M3, GRIPPED, add_bounds, add_box, add_free, add_grasp, add_site

ARM = 0.35  # width of the arms over the shorter side


def arm_m(half_x_m: float, half_y_m: float) -> float:
    """Half width of the arms of an ell with these outer half extents [m]."""
    return ARM * min(half_x_m, half_y_m)


class Ell(Solid, Graspable):
    """An L: arms along +x and +y from its corner at (−x, −y). half_extents_m: (x, y, z) outer; taken by the arm along x."""

    least_half_m: ClassVar = (0.015, 0.015, 0.005)
    noun: ClassVar = "L"

    kind: Literal["ell"]

    @property
    def grasp_width_m(self) -> float:
        return 2 * arm_m(*self.half_extents_m[:2])

    def add_to(self, scene: mujoco.MjSpec) -> None:
        x, y, z = self.half_extents_m
        arm, look = arm_m(x, y), {"rgba": self.rgba, "density": DENSITY_KG_M3, **GRIPPED}
        body = add_free(scene, self.name)
        add_bounds(body, self.name, self.half_extents_m)
        add_box(body, self.site("arm1"), [x, arm, z], [0, arm - y, 0], **look)
        add_box(body, self.site("arm2"), [arm, y - arm, z], [arm - x, arm, 0], **look)
        add_site(body, self.site("top"), [0, 0, z])
        add_grasp(body, self.name, [0, arm - y], z, along_y=True)
