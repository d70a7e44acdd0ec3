"""A board with several slots; in: half extents and the slots; out: a fixed body to fit a set of things into."""

from typing import Annotated, Literal, Self

import mujoco
from pydantic import Field, model_validator

from sim_finetune.objects.base import Solid
from sim_finetune.objects.parts import add_bounds, add_fixed, add_site
from sim_finetune.objects.slots import Slot, add_cell, check_room


class Kit(Solid):
    """A board with slots in a row along its y. half_extents_m: (x, y, z); `slot1`, `slot2`, … are the slots' floors."""

    kind: Literal["kit"]
    slots: Annotated[tuple[Slot, ...], Field(min_length=2, max_length=6)]

    @model_validator(mode="after")
    def _slots_fit(self) -> Self:
        for slot in self.slots:
            check_room(slot, self._cell_m[:2])
        return self

    @property
    def _cell_m(self) -> tuple[float, float, float]:
        """Half extents of each slot's share of the board."""
        x, y, z = self.half_extents_m
        return x, y / len(self.slots), z

    def add_to(self, scene: mujoco.MjSpec) -> None:
        body = add_fixed(scene, self.name)
        add_bounds(body, self.name, self.half_extents_m)
        step = 2 * self._cell_m[1]
        for i, slot in enumerate(self.slots):
            middle = (0.0, step * (i - (len(self.slots) - 1) / 2))
            add_cell(body, self.site(f"slot{i + 1}"), slot, self._cell_m, middle, self.rgba)
        add_site(body, self.site("top"), [0, 0, self.half_extents_m[2]])
