"""A lever; in: half extents, length and travel; out: a fixed base and a stick with a ball to pull over."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sim_finetune.objects.tilt import Stick, Tilting


class Lever(Tilting):
    """A stick that leans back and is pulled to its own −y. half_extents_m: (x, y, z) of base; length_m: of the stick."""

    least_half_m: ClassVar = (0.02, 0.02, 0.01)

    kind: Literal["lever"]
    length_m: Annotated[float, Field(ge=0.06, le=0.2)]

    @property
    def stick(self) -> Stick:
        return Stick(length_m=self.length_m, radius_m=0.006, end_m=0.014)
