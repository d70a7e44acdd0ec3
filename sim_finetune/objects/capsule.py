"""A free lying capsule; in: radius and half length; out: a body with a free joint."""

from typing import Literal

import mujoco

from sim_finetune.objects.base import Graspable, Metres
from sim_finetune.objects.parts import DENSITY_KG_M3, add_bar, add_free, add_grasp, add_site
from sim_finetune.objects.round import Round
from sim_finetune.objects.sphere import ROLLING


class Capsule(Round, Graspable):
    """A rod with round ends that lies along its own x. size_m: (radius, half length without the ends)."""

    kind: Literal["capsule"]
    size_m: tuple[Metres, Metres]

    @property
    def bounds_m(self) -> tuple[float, float, float]:
        radius, half = self.size_m
        return radius + half, radius, radius

    def add_to(self, scene: mujoco.MjSpec) -> None:
        radius, half = self.size_m
        body = add_free(scene, self.name)
        look = {"rgba": self.rgba, "density": DENSITY_KG_M3, "friction": ROLLING, "condim": 6}
        add_bar(body, self.name, [-half, 0, 0], [half, 0, 0], radius, **look)
        add_site(body, self.site("top"), [0, 0, radius])
        add_grasp(body, self.name, [0, 0], radius, along_y=True)
