"""What every object has: name, colour, region; in: fields of a task spec; out: bodies in an MjSpec."""

import math
from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

import mujoco
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from sim_finetune.placement import AnyPlacement, Region

# Saturated and far apart in hue, so that a 5-pixel block can be named (RGB in [0, 1]).
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.90, 0.08, 0.08),
    "green": (0.10, 0.65, 0.12),
    "blue": (0.10, 0.22, 0.95),
    "yellow": (0.95, 0.85, 0.05),
    "purple": (0.60, 0.10, 0.75),
    "cyan": (0.05, 0.80, 0.85),
}


def _known_colour(colour: str) -> str:
    if colour not in COLOURS:
        raise ValueError(f"no colour {colour!r}; there are {list(COLOURS)}")
    return colour


Colour = Annotated[str, AfterValidator(_known_colour)]
Metres = Annotated[float, Field(gt=0, le=0.3)]


class SceneObject(BaseModel, ABC):
    """An object on the table.

    name: its role in the task ("target"), used by goals and instructions; colour: a key of COLOURS;
    region_m: (x_min, y_min, x_max, y_max) where its centre is placed [m, workspace frame];
    yaw_range_rad: (low, high) its turn about the vertical;
    place: on, inside or beside another object instead of in region_m;
    free: whether objects of the class can be moved bodily.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    free: ClassVar[bool] = False

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    colour: Colour
    region_m: Region
    yaw_range_rad: tuple[float, float]
    place: AnyPlacement | None = None

    @property
    @abstractmethod
    def words(self) -> str:
        """What a person would call it: "red block"."""

    @property
    @abstractmethod
    def radius_m(self) -> float:
        """Radius of a disc on the table which holds the object however it is turned [m]."""

    @property
    @abstractmethod
    def rest_height_m(self) -> float:
        """Height of the body's origin above the table when it stands there [m]."""

    @abstractmethod
    def add_to(self, scene: mujoco.MjSpec) -> None:
        """Add the body `name` and the site `name/top`. Fixed objects are mocap bodies, so a reset can move them too."""

    @property
    def rgba(self) -> list[float]:
        return [*COLOURS[self.colour], 1.0]

    def site(self, part: str) -> str:
        """The scene's name of a site of this object."""
        return f"{self.name}/{part}"


class Solid(SceneObject):
    """An object with a box around it. half_extents_m: (x, y, z)."""

    half_extents_m: tuple[Metres, Metres, Metres]

    @property
    def radius_m(self) -> float:
        return math.hypot(*self.half_extents_m[:2])

    @property
    def rest_height_m(self) -> float:
        return self.half_extents_m[2]
