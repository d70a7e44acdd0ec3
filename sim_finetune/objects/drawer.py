"""A drawer unit; in: outer size and travel; out: a fixed cabinet with a sliding drawer and a bar to grasp."""

from typing import ClassVar, Literal, Self

import mujoco
from pydantic import model_validator

from sim_finetune.objects.base import Damping, Sliding
from sim_finetune.objects.parts import (
    BOARD_KG_M3,
    FRICTION,
    GREY,
    add_bounds,
    add_inside,
    add_site,
    add_tray,
    tray_hollow_m,
)

WALL_M = 0.008  # half thickness of the cabinet's boards
TRAY_M = 0.003  # half thickness of a hollow drawer's boards
HOLLOW_LEAST_M = (0.04, 0.04, 0.025)
HANDLE_RADIUS_M = 0.009
HANDLE_OFFSET_M = 0.05  # room for a finger between the front and the bar


class Drawer(Sliding):
    """A cabinet whose drawer opens along its own -y. half_extents_m: (x, y, z) outer; travel_m: how far it opens.

    hollow: whether things can be put into the drawer; if not, it is a solid block that touches nothing but its front.
    """

    motion: ClassVar = "slide"
    least_half_m: ClassVar = (0.025, 0.017, 0.025)

    kind: Literal["drawer"]
    damping: Damping = 2.0  # a drawer that stops soon after it is let go
    hollow: bool = False

    @model_validator(mode="after")
    def _room_inside(self) -> Self:
        if self.hollow and any(half < least for half, least in zip(self.half_extents_m, HOLLOW_LEAST_M, strict=True)):
            raise ValueError(
                f"half_extents_m {self.half_extents_m} of a hollow drawer must be at least {HOLLOW_LEAST_M}"
            )
        return self

    @property
    def joint_name(self) -> str:
        return f"{self.name}/slide"

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
            damping=[self.damping, 0, 0],
            frictionloss=0.5,  # N
        )
        self._add_drawer(drawer)
        if self.hollow:
            self._add_tray(scene, drawer)

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
        add_bounds(cabinet, self.name, self.half_extents_m)
        cabinet.add_site(name=self.site("top"), pos=[0, 0, z], size=[0.002] * 3, rgba=[0, 0, 0, 0])

    def _add_tray(self, scene: mujoco.MjSpec, drawer: mujoco.MjsBody) -> None:
        """Boards round the hollow, from the table to the lid, which touch anything but the cabinet."""
        (x, y, z), name = self.half_extents_m, f"{self.name}/tray"
        tray = drawer.add_body(name=name, pos=[0, -WALL_M, -WALL_M])
        scene.add_exclude(name=name, bodyname1=self.name, bodyname2=name)
        half = [x - 3 * WALL_M, y - 2 * WALL_M, z - WALL_M - 0.003]
        look = {"rgba": self.rgba, "density": BOARD_KG_M3, "friction": FRICTION}
        add_tray(tray, name, half, TRAY_M, **look)
        add_inside(tray, self.name, tray_hollow_m(half, TRAY_M), [0, 0, TRAY_M])

    def _add_drawer(self, drawer: mujoco.MjsBody) -> None:
        """A coloured box (drawn solid, seen when it comes out) unless hollow, a front, and a bar along x before it."""
        x, y, z = self.half_extents_m
        height = 0.4 * z  # of the bar over the middle: a hand above it clears the lid
        box, bar = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CAPSULE
        inner = [x - 3 * WALL_M, y - 2 * WALL_M, z - 3 * WALL_M]
        ghost = {"contype": 0, "conaffinity": 0}  # inside the cabinet: would touch its boards
        if not self.hollow:
            look = {"rgba": self.rgba, "mass": 0.3, **ghost}
            drawer.add_geom(name=f"{self.name}/box", type=box, size=inner, pos=[0, -WALL_M, 0], **look)
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
