"""An open box; in: outer half extents; out: a fixed body with a floor, four walls and an inside."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.base import Solid
from sim_finetune.objects.parts import FRICTION, add_bounds, add_fixed, add_inside, add_site, add_tray, tray_hollow_m

WALL_M = 0.003  # half thickness


class Container(Solid):
    """A box to put things in, too heavy to move. half_extents_m: (x, y, z) outer; `top` is its floor."""

    least_half_m: ClassVar = (0.02, 0.02, 0.01)

    kind: Literal["container"]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        body = add_fixed(scene, self.name)
        add_bounds(body, self.name, self.half_extents_m)
        add_tray(body, self.name, self.half_extents_m, WALL_M, rgba=self.rgba, friction=FRICTION)
        add_inside(body, self.name, tray_hollow_m(self.half_extents_m, WALL_M), [0, 0, WALL_M])
        add_site(body, self.site("top"), [0, 0, -self.half_extents_m[2] + 2 * WALL_M])
