"""A faucet; in: half extents of its base, length of the arm, travel; out: a fixed column with an arm that swings."""

from typing import Annotated, ClassVar, Literal

import mujoco
from pydantic import Field

from sim_finetune.objects.base import Turning
from sim_finetune.objects.parts import GREY, PLASTIC_KG_M3, add_bar, add_base, add_moving, add_post, add_site, hinge
from sim_finetune.objects.swing import swing_radius_m

PIPE_M = 0.008  # radius


class Faucet(Turning):
    """A faucet whose arm swings from its own +x towards −y; the spout points to +y. half_extents_m: (x, y, z) of the
    base; length_m: of the arm, which ends in an upright pin.
    """

    motion: ClassVar = "hinge"
    least_half_m: ClassVar = (0.015, 0.015, 0.01)

    kind: Literal["faucet"]
    length_m: Annotated[float, Field(ge=0.05, le=0.15)]

    @property
    def radius_m(self) -> float:
        swing = swing_radius_m((0.0, 0.0), self.length_m, self.travel_rad)
        return max(super().radius_m, swing, self._spout_m + PIPE_M)

    @property
    def _spout_m(self) -> float:
        """How far the spout's middle line goes: past the base."""
        return max(self.length_m, self.half_extents_m[1] + PIPE_M)

    def add_to(self, scene: mujoco.MjSpec) -> None:
        z = self.half_extents_m[2]
        base = add_base(scene, self.name, self.half_extents_m)
        add_bar(base, self.site("spout"), [0, 0, z], [0, self._spout_m, z], PIPE_M, rgba=GREY)
        arm_z = z + 2 * PIPE_M + 0.002
        arm = add_moving(scene, base, self.site("arm"), pos=[0, 0, 0])
        arm.add_joint(name=self.joint_name, **hinge(self.travel_rad, self.damping, 0.01, axis=[0, 0, -1]))
        look = {"rgba": self.rgba, "density": PLASTIC_KG_M3}
        add_bar(arm, self.site("pipe"), [0, 0, arm_z], [self.length_m, 0, arm_z], PIPE_M, **look)
        add_post(arm, self.name, [self.length_m, 0, arm_z], arm_z, (0, -1), **look)
        add_site(base, self.site("top"), [0, 0, z])
