"""A microwave oven; in: outer half extents and travel; out: a fixed box with a door and a panel beside it."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.hutch import Hutch
from sim_finetune.objects.parts import DARK, GHOST


class Microwave(Hutch):
    """An oven whose door opens to its own −y, a panel to its right. half_extents_m: (x, y, z) outer, without the door."""

    panel: ClassVar[float] = 0.25

    kind: Literal["microwave"]

    def add_to(self, scene: mujoco.MjSpec) -> None:
        super().add_to(scene)
        x, y, z = self.half_extents_m
        disc = mujoco.mjtGeom.mjGEOM_CYLINDER
        for i in (-1, 0, 1):  # knobs on the panel, painted
            scene.body(self.name).add_geom(
                name=self.site(f"knob{i + 2}"),
                type=disc,
                size=[0.4 * self.panel * x, 0.001, 0],
                pos=[x * (1 - self.panel), -y, 0.5 * i * z],
                xyaxes=[1, 0, 0, 0, 0, 1],
                rgba=DARK,
                **GHOST,
            )
