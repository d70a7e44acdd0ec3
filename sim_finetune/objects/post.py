"""A rod on a foot; in: radii and height; out: a fixed body to put rings over."""

from typing import Annotated, Literal

import mujoco
from pydantic import Field

from sim_finetune.objects.parts import FRICTION, GREY, add_bounds, add_fixed, add_site
from sim_finetune.objects.round import Round

FOOT_M = 0.003  # half thickness


class Post(Round):
    """An upright rod for rings. size_m: (radius of the foot, radius of the rod, half height of all); `top` is the foot's."""

    kind: Literal["post"]
    size_m: tuple[
        Annotated[float, Field(ge=0.02, le=0.1)],
        Annotated[float, Field(ge=0.004, le=0.015)],
        Annotated[float, Field(ge=0.01, le=0.06)],
    ]

    @property
    def bounds_m(self) -> tuple[float, float, float]:
        foot, _, half = self.size_m
        return foot, foot, half

    def add_to(self, scene: mujoco.MjSpec) -> None:
        foot, rod, half = self.size_m
        body, kind = add_fixed(scene, self.name), mujoco.mjtGeom.mjGEOM_CYLINDER
        add_bounds(body, self.name, self.bounds_m)
        disc, pole = [foot, FOOT_M, 0], [rod, half - FOOT_M, 0]
        look = {"type": kind, "friction": FRICTION}
        body.add_geom(name=self.site("foot"), size=disc, pos=[0, 0, FOOT_M - half], rgba=GREY, **look)
        body.add_geom(name=self.site("rod"), size=pole, pos=[0, 0, FOOT_M], rgba=self.rgba, **look)
        add_site(body, self.site("top"), [0, 0, 2 * FOOT_M - half])
