"""A stick that tilts on a base, for levers and switches; in: its sizes; out: a hinged body that stays where it is left."""

import math
from abc import abstractmethod
from typing import Annotated, ClassVar, NamedTuple

import mujoco
from pydantic import Field

from sim_finetune.objects.base import Turning
from sim_finetune.objects.parts import GRIPPED, PLASTIC_KG_M3, add_bar, add_base, add_moving, add_site, hinge

GRAVITY_M_S2 = 9.81
STAYS = 1.5  # friction of the hinge over the most that the stick's weight turns it with


class Stick(NamedTuple):
    """length_m: hinge to the middle of the end; radius_m: of the stick; end_m: radius of the ball at its end."""

    length_m: float
    radius_m: float
    end_m: float

    @property
    def mass_kg(self) -> float:
        rod = math.pi * self.radius_m**2 * self.length_m
        return PLASTIC_KG_M3 * (rod + 4 / 3 * math.pi * self.end_m**3)


class Tilting(Turning):
    """A base with an upright stick that leans back (+y) at the start and forward (−y) at the end of its travel."""

    motion: ClassVar = "flip"

    travel_rad: Annotated[float, Field(ge=0.4, le=1.6)]

    @property
    @abstractmethod
    def stick(self) -> Stick:
        """What stands on the base."""

    @property
    def radius_m(self) -> float:
        return max(super().radius_m, self.stick.length_m + self.stick.end_m)

    def add_to(self, scene: mujoco.MjSpec) -> None:
        stick, half_turn, z = self.stick, self.travel_rad / 2, self.half_extents_m[2]
        base = add_base(scene, self.name, self.half_extents_m)
        rod = add_moving(scene, base, self.site("stick"), pos=[0, 0, z])
        friction = STAYS * stick.mass_kg * GRAVITY_M_S2 * stick.length_m * math.sin(half_turn)
        rod.add_joint(name=self.joint_name, **hinge(self.travel_rad, self.damping, friction, axis=[1, 0, 0]))
        back = [0.0, math.sin(half_turn), math.cos(half_turn)]
        end = [stick.length_m * part for part in back]
        look = {"rgba": self.rgba, "density": PLASTIC_KG_M3, **GRIPPED}
        add_bar(rod, self.site("rod"), [0, 0, 0], end, stick.radius_m, **look)
        rod.add_geom(
            name=self.site("ball"), type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[stick.end_m, 0, 0], pos=end, **look
        )
        add_site(rod, self.site("top"), [stick.end_m * part + at for part, at in zip(back, end, strict=True)])
        add_site(rod, self.site("handle"), end, [-1, 0, 0, 0, -back[2], back[1]])
