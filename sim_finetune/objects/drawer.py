"""A drawer unit; in: outer size and travel; out: a fixed cabinet with a sliding drawer and a bar to grasp."""

from typing import ClassVar, Literal, Self

import mujoco
from pydantic import model_validator

from sim_finetune.objects.base import Damping, Sliding
from sim_finetune.objects.parts import (
    BOARD_KG_M3,
    FRICTION,
    GHOST,
    GREY,
    add_bar,
    add_bounds,
    add_box,
    add_fixed,
    add_inside,
    add_site,
    add_tray,
    tray_hollow_m,
)

WALL_M = 0.008  # half thickness of the cabinet's boards
TRAY_M = 0.003  # half thickness of a hollow drawer's boards
HOLLOW_LEAST_M = (0.04, 0.04, 0.025)
HANDLE_RADIUS_M, HANDLE_HALF_M = 0.009, 0.04
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
        return self.site("slide")

    def add_to(self, scene: mujoco.MjSpec) -> None:
        cabinet = add_fixed(scene, self.name)
        self._add_boards(cabinet)
        drawer = cabinet.add_body(name=self.site("drawer"))
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
            add_box(cabinet, self.site(part), size, pos, rgba=GREY)
        add_bounds(cabinet, self.name, self.half_extents_m)
        add_site(cabinet, self.site("top"), [0, 0, z])

    def _add_tray(self, scene: mujoco.MjSpec, drawer: mujoco.MjsBody) -> None:
        """Boards round the hollow, from the table to the lid, which touch anything but the cabinet."""
        (x, y, z), name = self.half_extents_m, self.site("tray")
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
        if not self.hollow:
            inner = [x - 3 * WALL_M, y - 2 * WALL_M, z - 3 * WALL_M]
            # GHOST: inside the cabinet, it would touch its boards
            add_box(drawer, self.site("box"), inner, [0, -WALL_M, 0], rgba=self.rgba, mass=0.3, **GHOST)
        front_y, bar_y = -y - WALL_M, -y - 2 * WALL_M - HANDLE_OFFSET_M
        add_box(drawer, self.site("front"), [x, WALL_M, z - 0.002], [0, front_y, 0], rgba=self.rgba, mass=0.1)
        for side, at in ((-1, -HANDLE_HALF_M), (1, HANDLE_HALF_M)):
            look = {"rgba": self.rgba, "mass": 0.01, **GHOST}
            add_bar(drawer, self.site(f"post{side}"), [at, front_y, height], [at, bar_y, height], 0.006, **look)
        ends = [-HANDLE_HALF_M, bar_y, height], [HANDLE_HALF_M, bar_y, height]
        add_bar(drawer, self.site("bar"), *ends, HANDLE_RADIUS_M, rgba=self.rgba, mass=0.02, friction=FRICTION)
        add_site(drawer, self.site("handle"), [0, bar_y, height], [0, -1, 0, 1, 0, 0])  # jaws before and behind the bar
