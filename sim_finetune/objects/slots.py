"""Slots in a board: what fits into one, and the boards around it; in: sizes [m]; out: geoms and a site on a body."""

from collections.abc import Sequence
from typing import Annotated, Literal

import mujoco
from pydantic import BaseModel, ConfigDict, Field

from sim_finetune.objects.base import Metres
from sim_finetune.objects.ell import arm_m
from sim_finetune.objects.parts import DARK, FRICTION, GHOST, add_box, add_site

EDGE_M = 0.004  # the least a board keeps around a slot
PAINT_M = 0.0005  # half thickness of the dark floor, seen through the slot


class Slot(BaseModel):
    """A hole through a board. shape: of what fits, box (round things too) or ell; half_extents_m: its (x, y);
    slack_m: room on every side.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    shape: Literal["box", "ell"]
    half_extents_m: tuple[Metres, Metres]
    slack_m: Annotated[float, Field(ge=0.0005, le=0.02)]

    @property
    def hole_m(self) -> tuple[float, float]:
        """Half extents (x, y) of the hole."""
        x, y = self.half_extents_m
        return x + self.slack_m, y + self.slack_m


def check_room(slot: Slot, board_m: tuple[float, float]) -> None:
    """ValueError when a slot leaves less than EDGE_M of a board (half extents x, y) on a side."""
    if any(hole + EDGE_M > board for hole, board in zip(slot.hole_m, board_m, strict=True)):
        raise ValueError(f"a slot of {slot.half_extents_m} needs more than half_extents_m {board_m} around it")


def add_cell(
    body: mujoco.MjsBody,
    place: str,
    slot: Slot,
    half_extents_m: Sequence[float],
    middle_m: Sequence[float],
    rgba: Sequence[float],
) -> None:
    """A rectangle of board (x, y, z) at (x, y) with the hole in its middle; the site `place` on the hole's floor."""
    (x, y, z), (mid_x, mid_y), (hole_x, hole_y) = half_extents_m, middle_m, slot.hole_m
    look = {"rgba": rgba, "friction": FRICTION}
    beside, before = (x - hole_x) / 2, (y - hole_y) / 2
    for side, sign in (("left", -1), ("right", 1)):
        pos = [mid_x + sign * (hole_x + beside), mid_y, 0]
        add_box(body, f"{place}/{side}", [beside, y, z], pos, **look)
    for side, sign in (("front", -1), ("back", 1)):
        pos = [mid_x, mid_y + sign * (hole_y + before), 0]
        add_box(body, f"{place}/{side}", [hole_x, before, z], pos, **look)
    if slot.shape == "ell":
        arms = 2 * (arm_m(*slot.half_extents_m) + slot.slack_m)
        corner = [hole_x - arms / 2, hole_y - arms / 2, z]  # what the arms leave free at (+x, +y)
        add_box(body, f"{place}/corner", corner, [mid_x + arms / 2, mid_y + arms / 2, 0], **look)
    add_box(body, f"{place}/paint", [hole_x, hole_y, PAINT_M], [mid_x, mid_y, PAINT_M - z], rgba=DARK, **GHOST)
    add_site(body, place, [mid_x, mid_y, -z])
