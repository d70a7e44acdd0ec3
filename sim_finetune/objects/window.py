"""A sliding window; in: half extents of the frame and travel; out: a fixed frame, and a sash with a bar to push."""

from typing import ClassVar, Literal, Self

import mujoco
from pydantic import model_validator

from sim_finetune.objects.base import Sliding
from sim_finetune.objects.parts import PLASTIC_KG_M3, add_box, add_frame, add_moving, add_post, slide

POST_M, PANE_M = 0.008, 0.003  # half widths
GLASS = [0.75, 0.85, 0.90, 1.0]


class Window(Sliding):
    """An upright window without a lintel; its left half slides to its own +x, before the right one.

    half_extents_m: (x, y, z) of the frame; travel_m: at most x, less the posts.
    """

    motion: ClassVar = "slide"
    least_half_m: ClassVar = (0.05, 0.012, 0.03)

    kind: Literal["window"]

    @model_validator(mode="after")
    def _slides_within_the_frame(self) -> Self:
        if self.travel_m > 2 * self._pane_m:
            raise ValueError(f"travel_m {self.travel_m} must be at most {2 * self._pane_m:.3f}, the width of the sash")
        return self

    @property
    def _pane_m(self) -> float:
        """Half width of the sash."""
        return self.half_extents_m[0] / 2 - POST_M

    def add_to(self, scene: mujoco.MjSpec) -> None:
        x, y, z = self.half_extents_m
        frame = add_frame(scene, self.name, self.half_extents_m, post_m=POST_M, sill_m=0.004)
        pane, middle, tall = self._pane_m, x / 2 - POST_M, z - 0.006
        add_box(frame, self.site("pane"), [middle, PANE_M, tall], [middle, 0.5 * y, 0.006], rgba=GLASS)
        sash = add_moving(scene, frame, self.site("sash"), pos=[-pane - POST_M / 2, -0.5 * y, 0])
        sash.add_joint(name=self.joint_name, **slide(self.travel_m, self.damping, 0.5, axis=[1, 0, 0]))
        look = {"rgba": self.rgba, "density": PLASTIC_KG_M3}
        add_box(sash, self.site("glass"), [pane, PANE_M, tall], [0, 0, 0.006], **look)
        add_post(sash, self.name, [0, -PANE_M - 0.010, 0], z, (1, 0), **look)
