"""A pallet; in: outer half extents; out: a fixed deck on three bearers, to put things on."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.base import Solid
from sim_finetune.objects.parts import FRICTION, add_bounds, add_box, add_fixed, add_site

DECK_M = 0.003  # half thickness


class Pallet(Solid):
    """A low wooden deck, its bearers along y. half_extents_m: (x, y, z) outer."""

    least_half_m: ClassVar = (0.02, 0.02, 0.006)

    kind: Literal["pallet"]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        x, y, z = self.half_extents_m
        body = add_fixed(scene, self.name)
        add_bounds(body, self.name, self.half_extents_m)
        look = {"rgba": self.rgba, "friction": FRICTION}
        add_box(body, self.site("deck"), [x, y, DECK_M], [0, 0, z - DECK_M], **look)
        for i in (-1, 0, 1):
            bearer = [x / 8, y, z - DECK_M]
            add_box(body, self.site(f"bearer{i + 2}"), bearer, [i * 7 / 8 * x, 0, -DECK_M], **look)
        add_site(body, self.site("top"), [0, 0, z])
