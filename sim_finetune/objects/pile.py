"""A pile; in: how many grains and how large; out: a fixed origin with small cubes around it, each free to move."""

import math
from typing import Annotated, Literal

import mujoco
from pydantic import Field

from sim_finetune.objects.base import SceneObject
from sim_finetune.objects.parts import DENSITY_KG_M3, FRICTION, add_bounds, add_box, add_fixed, add_site

PITCH = 2.8  # distance of neighbours over a grain's half extent: they start beside one another without touching


class Pile(SceneObject):
    """Cubes in a square on the table, to sweep. count: how many; grain_m: half extent of one; bodies NAME/1, NAME/2, …

    Its own body stays where a reset puts it: grains move by their joints against that, so one pose places them all.
    """

    kind: Literal["pile"]
    count: Annotated[int, Field(ge=2, le=40)]
    grain_m: Annotated[float, Field(ge=0.005, le=0.015)]

    @property
    def words(self) -> str:
        return f"pile of {self.colour} blocks"

    @property
    def _side(self) -> int:
        """Grains in a row."""
        return math.ceil(math.sqrt(self.count))

    @property
    def bounds_m(self) -> tuple[float, float, float]:
        half = self.grain_m * (PITCH * (self._side - 1) / 2 + 1)
        return half, half, self.grain_m

    def add_to(self, scene: mujoco.MjSpec) -> None:
        heap = add_fixed(scene, self.name)
        add_bounds(heap, self.name, self.bounds_m)
        add_site(heap, self.site("top"), [0, 0, self.grain_m])
        for i in range(self.count):
            row, column = divmod(i, self._side)
            place = [PITCH * self.grain_m * (at - (self._side - 1) / 2) for at in (column, row)]
            self._add_grain(heap, str(i + 1), place)

    def _add_grain(self, heap: mujoco.MjsBody, number: str, place_m: list[float]) -> None:
        """A free joint is not allowed below another body; three slides and a ball are the same."""
        grain = heap.add_body(name=self.site(number), pos=[*place_m, 0])
        for axis, way in zip("xyz", ([1, 0, 0], [0, 1, 0], [0, 0, 1]), strict=True):
            grain.add_joint(name=self.site(f"{number}{axis}"), type=mujoco.mjtJoint.mjJNT_SLIDE, axis=way)
        grain.add_joint(name=self.site(f"{number}turn"), type=mujoco.mjtJoint.mjJNT_BALL)
        look = {"rgba": self.rgba, "density": DENSITY_KG_M3, "friction": FRICTION}
        add_box(grain, self.site(number), [self.grain_m] * 3, [0, 0, 0], **look)
