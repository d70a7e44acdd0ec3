"""A rope; in: thickness and half length; out: a free chain of round links, jointed by balls."""

from typing import Annotated, Literal

import mujoco
from pydantic import Field

from sim_finetune.objects.base import Graspable
from sim_finetune.objects.parts import GRIPPED, add_bar, add_free, add_grasp, add_site
from sim_finetune.objects.round import Round

MOST_HALF = 7  # links on each side of the middle one
SHORTEST = 1.5  # half a link over the radius: shorter, and a link would touch the next but one
NYLON_KG_M3 = 1140.0  # polyamide 6, ISO 1183 data sheets
BENDING = 2e-4  # damping of a joint [N m s/rad]: a limp rope that does not whip


class Rope(Round, Graspable):
    """A rope that lies along its own x, taken in its middle. size_m: (radius, half length); ends at `start`, `end`."""

    kind: Literal["rope"]
    size_m: tuple[Annotated[float, Field(ge=0.004, le=0.015)], Annotated[float, Field(ge=0.08, le=0.25)]]

    @property
    def bounds_m(self) -> tuple[float, float, float]:
        return sum(self.size_m), self.size_m[0], self.size_m[0]

    @property
    def _half(self) -> int:
        """Links on each side of the middle one."""
        links = int(self.size_m[1] / (SHORTEST * self.size_m[0]))
        return min(MOST_HALF, (links - 1) // 2)

    @property
    def _link_m(self) -> float:
        """Half length of a link."""
        return self.size_m[1] / (2 * self._half + 1)

    def add_to(self, scene: mujoco.MjSpec) -> None:
        middle = add_free(scene, self.name)
        self._add_link(middle, self.name, -self._link_m, self._link_m)
        for end, sign in (("start", -1.0), ("end", 1.0)):
            body, reach = middle, sign * self._link_m
            for i in range(1, self._half + 1):
                link = self.site(f"{end}{i}")
                body = body.add_body(name=link, pos=[reach, 0, 0])
                body.add_joint(name=link, type=mujoco.mjtJoint.mjJNT_BALL, damping=[BENDING, 0, 0])
                reach = sign * 2 * self._link_m
                self._add_link(body, link, 0.0, reach)
            add_site(body, self.site(end), [reach, 0, 0])
        add_site(middle, self.site("top"), [0, 0, self.size_m[0]])
        add_grasp(middle, self.name, [0, 0], self.size_m[0], along_y=True)

    def _add_link(self, body: mujoco.MjsBody, name: str, start_m: float, end_m: float) -> None:
        look = {"rgba": self.rgba, "density": NYLON_KG_M3, **GRIPPED}
        add_bar(body, name, [start_m, 0, 0], [end_m, 0, 0], self.size_m[0], **look)
