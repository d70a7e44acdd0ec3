"""A lever; in: half extents, length and travel; out: a fixed base and a stick with a ball to pull over."""

from typing import Annotated, ClassVar, Literal

import mujoco
from pydantic import Field

from sim_finetune.objects.tilt import Stick, Tilting


class Lever(Tilting):
    """A stick that leans back and is pulled to its own −y. half_extents_m: (x, y, z) of base; length_m: of the stick."""

    motion: ClassVar = "flip"
    least_half_m: ClassVar[tuple[float, float, float]] = (0.02, 0.02, 0.01)

    kind: Literal["lever"]
    length_m: Annotated[float, Field(ge=0.06, le=0.2)]
    travel_rad: Annotated[float, Field(ge=0.4, le=1.6)]

    @property
    def words(self) -> str:
        return f"{self.colour} lever"

    @property
    def joint_range(self) -> tuple[float, float]:
        return 0.0, self.travel_rad

    @property
    def _stick(self) -> Stick:
        return Stick(length_m=self.length_m, radius_m=0.006, end_m=0.014)

    @property
    def radius_m(self) -> float:
        return max(super().radius_m, self.length_m + self._stick.end_m)

    def add_to(self, scene: mujoco.MjSpec) -> None:
        self._add(scene, self._stick, self.travel_rad)
