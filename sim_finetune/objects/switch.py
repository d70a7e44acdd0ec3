"""A toggle switch; in: half extents and travel; out: a fixed base and a short stick to flip over."""

from typing import Annotated, ClassVar, Literal

import mujoco
from pydantic import Field

from sim_finetune.objects.tilt import Stick, Tilting

STICK = Stick(length_m=0.045, radius_m=0.006, end_m=0.008)


class Switch(Tilting):
    """A toggle, off when it leans back, on when it leans towards its own −y. half_extents_m: (x, y, z) of base."""

    motion: ClassVar = "flip"
    least_half_m: ClassVar[tuple[float, float, float]] = (0.015, 0.015, 0.008)

    kind: Literal["switch"]
    travel_rad: Annotated[float, Field(ge=0.4, le=1.6)]

    @property
    def words(self) -> str:
        return f"{self.colour} switch"

    @property
    def joint_range(self) -> tuple[float, float]:
        return 0.0, self.travel_rad

    @property
    def radius_m(self) -> float:
        return max(super().radius_m, STICK.length_m + STICK.end_m)

    def add_to(self, scene: mujoco.MjSpec) -> None:
        self._add(scene, STICK, self.travel_rad)
