"""A coloured area painted on the table; in: half extents; out: a fixed body that touches nothing."""

from typing import Literal

import mujoco

from sim_finetune.objects.painted import THICKNESS_M, Painted
from sim_finetune.objects.parts import GHOST, add_box, add_fixed, add_site


class Zone(Painted):
    """A rectangle on the table. half_extents_m: (x, y)."""

    kind: Literal["zone"]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        body = add_fixed(scene, self.name)
        add_box(body, self.name, self.bounds_m, [0, 0, 0], rgba=self.rgba, **GHOST)
        add_site(body, self.site("top"), [0, 0, THICKNESS_M])
