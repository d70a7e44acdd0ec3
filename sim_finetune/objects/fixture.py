"""A board with one slot; in: half extents and the slot; out: a fixed body to fit something into."""

from typing import Literal, Self

import mujoco
from pydantic import model_validator

from sim_finetune.objects.base import Solid
from sim_finetune.objects.parts import add_bounds, add_fixed, add_site
from sim_finetune.objects.slots import Slot, add_cell, check_room


class Fixture(Solid):
    """A board whose slot goes down to the table. half_extents_m: (x, y, z); `top` and `slot1` are the slot's floor."""

    kind: Literal["fixture"]
    slot: Slot

    @model_validator(mode="after")
    def _slot_fits(self) -> Self:
        check_room(self.slot, self.half_extents_m[:2])
        return self

    def add_to(self, scene: mujoco.MjSpec) -> None:
        body = add_fixed(scene, self.name)
        add_bounds(body, self.name, self.half_extents_m)
        add_cell(body, self.site("slot1"), self.slot, self.half_extents_m, (0, 0), self.rgba)
        add_site(body, self.site("top"), [0, 0, -self.half_extents_m[2]])
