"""A drawer unit; in: outer size and travel; out: a fixed cabinet with a sliding drawer and a bar to grasp."""

from typing import ClassVar, Literal

import mujoco

from sim_finetune.objects.base import Articulated, Metres
from sim_finetune.objects.parts import GREY, add_site

WALL_M = 0.008  # half thickness of the cabinet's boards
HANDLE_RADIUS_M = 0.009
HANDLE_OFFSET_M = 0.05  # room for a finger between the front and the bar


class Drawer(Articulated):
    """A cabinet whose drawer opens along its own -y. half_extents_m: (x, y, z) outer; travel_m: how far it opens."""

    motion: ClassVar = "slide"

    kind: Literal["drawer"]
    travel_m: Metres

    @property
    def words(self) -> str:
        return f"{self.colour} drawer"

    @property
    def joint_name(self) -> str:
        return f"{self.name}/slide"

    @property
    def joint_range(self) -> tuple[float, float]:
        return 0.0, self.travel_m

    def add_to(self, scene: mujoco.MjSpec) -> None:
        cabinet = scene.worldbody.add_body(name=self.name, mocap=True)
        self._add_boards(cabinet)
        drawer = cabinet.add_body(name=f"{self.name}/drawer")
        drawer.add_joint(
            name=self.joint_name,
            type=mujoco.mjtJoint.mjJNT_SLIDE,
            axis=[0, -1, 0],
            range=[0, self.travel_m],
            limited=True,
            damping=[2.0, 0, 0],  # N s/m: a drawer that stops soon after it is let go
            frictionloss=0.5,  # N
        )
        self._add_drawer(drawer)

    def _add_boards(self, cabinet: mujoco.MjsBody) -> None:
        """Two sides, a back and a lid; the front stays open."""
        x, y, z = self.half_extents_m
        boards = {
            "left": ([WALL_M, y, z], [-x + WALL_M, 0, 0]),
            "right": ([WALL_M, y, z], [x - WALL_M, 0, 0]),
            "back": ([x, WALL_M, z], [0, y - WALL_M, 0]),
            "lid": ([x, y, WALL_M], [0, 0, z - WALL_M]),
        }
        for part, (size, pos) in boards.items():
            cabinet.add_geom(name=f"{self.name}/{part}", type=mujoco.mjtGeom.mjGEOM_BOX, size=size, pos=pos, rgba=GREY)
        cabinet.add_site(name=self.site("top"), pos=[0, 0, z], size=[0.002] * 3, rgba=[0, 0, 0, 0])

    def _add_drawer(self, drawer: mujoco.MjsBody) -> None:
        """A coloured box (drawn solid, seen when it comes out), and a bar along x in front of it."""
        x, y, z = self.half_extents_m
        height = 0.4 * z  # of the bar over the middle: a hand above it clears the lid
        box, bar = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CAPSULE
        inner = [x - 3 * WALL_M, y - 2 * WALL_M, z - 3 * WALL_M]
        ghost = {"contype": 0, "conaffinity": 0}  # inside the cabinet: would touch its boards
        drawer.add_geom(
            name=f"{self.name}/box", type=box, size=inner, pos=[0, -WALL_M, 0], rgba=self.rgba, mass=0.3, **ghost
        )
        front_y, bar_y = -y - WALL_M, -y - 2 * WALL_M - HANDLE_OFFSET_M
        drawer.add_geom(
            name=f"{self.name}/front",
            type=box,
            size=[x, WALL_M, z - 0.002],
            pos=[0, front_y, 0],
            rgba=self.rgba,
            mass=0.1,
        )
        for side in (-1.0, 1.0):
            post = {
                "fromto": [side * 0.04, front_y, height, side * 0.04, bar_y, height],
                "size": [0.006, 0, 0],
                "mass": 0.01,
            }
            drawer.add_geom(name=f"{self.name}/post{int(side)}", type=bar, rgba=self.rgba, **post, **ghost)
        fromto = [-0.04, bar_y, height, 0.04, bar_y, height]
        drawer.add_geom(
            name=f"{self.name}/bar",
            type=bar,
            fromto=fromto,
            size=[HANDLE_RADIUS_M, 0, 0],
            rgba=self.rgba,
            mass=0.02,
            friction=[1, 0.01, 0.0002],
        )
        add_site(drawer, self.site("handle"), [0, bar_y, height], [0, -1, 0, 1, 0, 0])  # jaws before and behind the bar
