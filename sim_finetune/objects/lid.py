"""A lid that flips open about its back edge; in: its sizes; out: a hinged board with a fin, held where it is left."""

from typing import NamedTuple

import mujoco

from sim_finetune.objects.parts import BOARD_KG_M3, add_box, add_fin, add_moving, hinge
from sim_finetune.objects.tilt import GRAVITY_M_S2, STAYS

FIN_HALF_WIDTH_M = 0.015
FIN_INSET_M = 0.012  # of the fin from the lid's front edge


class Lid(NamedTuple):
    """half_m: half extents (x, y, z) of the board; hinge_m: (y, z) of its back lower edge in the fixed body's frame."""

    half_m: tuple[float, float, float]
    hinge_m: tuple[float, float]

    @property
    def torque_n_m(self) -> float:
        """What its weight turns it with when it lies flat, the fin included."""
        x, y, z = self.half_m
        board, fin = 8 * x * y * z, 8 * FIN_HALF_WIDTH_M * 0.006 * 0.015
        return BOARD_KG_M3 * GRAVITY_M_S2 * (board * y + fin * (2 * y - FIN_INSET_M))


def add_lid(
    scene: mujoco.MjSpec,
    fixed: mujoco.MjsBody,
    joint_name: str,
    lid: Lid,
    *,
    travel_rad: float,
    damping: float,
    rgba: list[float],
) -> mujoco.MjsBody:
    """The lid, lying towards −y from its hinge; its front rises as the joint grows. A friction hinge, as laptops have."""
    thing, (_, y, z) = fixed.name, lid.half_m
    body = add_moving(scene, fixed, f"{thing}/lid", pos=[0, *lid.hinge_m])
    friction = STAYS * lid.torque_n_m
    body.add_joint(name=joint_name, **hinge(travel_rad, damping, friction, axis=[-1, 0, 0]))
    look = {"rgba": rgba, "density": BOARD_KG_M3}
    add_box(body, f"{thing}/board", lid.half_m, [0, -y, z], **look)
    add_fin(body, thing, [0, -2 * y + FIN_INSET_M, 2 * z], FIN_HALF_WIDTH_M, **look)
    return body
