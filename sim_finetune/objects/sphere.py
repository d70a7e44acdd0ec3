"""A free ball; in: radius; out: a body with a free joint that rolls, but not for ever."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.base import Graspable, Metres
from sim_finetune.objects.parts import DENSITY_KG_M3, add_free, add_grasp, add_site
from sim_finetune.objects.round import Round

# Rolling friction of a soft ball [m], so that it stays where it is put: a 4 cm foam ball stops on a slope of 3 degrees.
ROLLING = [1.0, 0.01, 0.001]


class Sphere(Round, Graspable):
    """A ball. size_m: (radius,)."""

    noun: ClassVar = "ball"

    kind: Literal["sphere"]
    size_m: tuple[Metres]

    @property
    def bounds_m(self) -> tuple[float, float, float]:
        return self.size_m * 3

    def add_to(self, scene: mujoco.MjSpec) -> None:
        radius = self.size_m[0]
        body = add_free(scene, self.name)
        look = {"rgba": self.rgba, "density": DENSITY_KG_M3, "friction": ROLLING, "condim": 6}
        body.add_geom(name=self.name, type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[radius, 0, 0], **look)
        add_site(body, self.site("top"), [0, 0, radius])
        add_grasp(body, self.name, [0, 0], radius, along_y=False)
