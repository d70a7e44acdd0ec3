"""A lid that flips open about its back edge; in: the sizes of its object; out: a hinged board with a fin."""

from typing import ClassVar

import mujoco

from sim_finetune.objects.base import Turning
from sim_finetune.objects.parts import BOARD_KG_M3, add_box, add_fin, add_moving, add_site, hinge
from sim_finetune.objects.tilt import GRAVITY_M_S2, STAYS

LID_M = 0.003  # half thickness
FIN_HALF_WIDTH_M = 0.015
FIN_INSET_M = 0.012  # of the fin from the lid's front edge


class Lidded(Turning):
    """A fixed object with a lid of its size, hinged at the back edge of its top; the fin is at −y; `top` is the lid's."""

    motion: ClassVar = "flip"

    @property
    def _torque_n_m(self) -> float:
        """What the lid's weight turns it with when it lies flat, the fin included."""
        x, y, _ = self.half_extents_m
        board, fin = 8 * x * y * LID_M, 8 * FIN_HALF_WIDTH_M * 0.006 * 0.015
        return BOARD_KG_M3 * GRAVITY_M_S2 * (board * y + fin * (2 * y - FIN_INSET_M))

    def add_lid(self, scene: mujoco.MjSpec, fixed: mujoco.MjsBody) -> mujoco.MjsBody:
        """The lid, lying towards −y; its front rises as the joint grows, and stays up by friction, as laptops' do."""
        x, y, z = self.half_extents_m
        lid = add_moving(scene, fixed, self.site("lid"), pos=[0, y, z])
        friction = STAYS * self._torque_n_m
        lid.add_joint(name=self.joint_name, **hinge(self.travel_rad, self.damping, friction, axis=[-1, 0, 0]))
        look = {"rgba": self.rgba, "density": BOARD_KG_M3}
        add_box(lid, self.site("board"), [x, y, LID_M], [0, -y, LID_M], **look)
        add_fin(lid, self.name, [0, -2 * y + FIN_INSET_M, 2 * LID_M], FIN_HALF_WIDTH_M, **look)
        add_site(lid, self.site("top"), [0, -y, 2 * LID_M])
        return lid
