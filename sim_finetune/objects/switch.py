"""A toggle switch; in: half extents and travel; out: a fixed base and a short stick to flip over."""

from typing import ClassVar, Literal

from sim_finetune.objects.tilt import Stick, Tilting


class Switch(Tilting):
    """A toggle, off when it leans back, on when it leans towards its own −y. half_extents_m: (x, y, z) of base."""

    least_half_m: ClassVar = (0.015, 0.015, 0.008)

    kind: Literal["switch"]

    @property
    def stick(self) -> Stick:
        return Stick(length_m=0.045, radius_m=0.006, end_m=0.008)
