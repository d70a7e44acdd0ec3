"""A low platform to put things on; in: half extents; out: a fixed solid body."""

from typing import Literal

import mujoco

from sim_finetune.objects.base import Solid
from sim_finetune.objects.parts import FRICTION, add_box, add_fixed, add_site


class Stand(Solid):
    """A platform too high to push a block onto. half_extents_m: (x, y, z)."""

    kind: Literal["stand"]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        body = add_fixed(scene, self.name)
        add_box(body, self.name, self.half_extents_m, [0, 0, 0], rgba=self.rgba, friction=FRICTION)
        add_site(body, self.site("top"), [0, 0, self.half_extents_m[2]])
