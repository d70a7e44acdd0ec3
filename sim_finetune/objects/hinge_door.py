"""A door that stands free between two posts; in: half extents and travel; out: a fixed frame and a hinged panel."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.parts import add_frame
from sim_finetune.objects.swing import Swinging

POST_M = 0.010  # half width of the frame
PANEL_M = 0.006  # half thickness


class HingeDoor(Swinging):
    """A door hinged at its left, opening towards its own −y. half_extents_m: (x, y, z) of the frame."""

    least_half_m: ClassVar = (0.04, 0.01, 0.03)
    noun: ClassVar = "door"

    kind: Literal["hinge_door"]

    @property
    def hinge_m(self) -> tuple[float, float]:
        return -self.width_m / 2, 0.0

    @property
    def width_m(self) -> float:
        return 2 * (self.half_extents_m[0] - 2 * POST_M)

    def add_to(self, scene: mujoco.MjSpec) -> None:
        frame = add_frame(scene, self.name, self.half_extents_m, post_m=POST_M, sill_m=0.002)
        panel = (PANEL_M, self.half_extents_m[2] - 0.005)
        self.add_door(scene, frame, half_m=panel, middle_m=(0, 0.005), gap_m=0.012)
