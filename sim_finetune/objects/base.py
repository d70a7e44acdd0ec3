"""What every object has: name, colour, region; in: fields of a task spec; out: bodies in an MjSpec."""

import math
from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal, Self

import mujoco
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sim_finetune.placement import AnyPlacement, Region, YawRange

# Saturated and far apart in hue, so that a 5-pixel block can be named (RGB in [0, 1]).
COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.90, 0.08, 0.08),
    "green": (0.10, 0.65, 0.12),
    "blue": (0.10, 0.22, 0.95),
    "yellow": (0.95, 0.85, 0.05),
    "purple": (0.60, 0.10, 0.75),
    "cyan": (0.05, 0.80, 0.85),
    "orange": (0.95, 0.42, 0.03),
    "pink": (0.97, 0.50, 0.72),
    "brown": (0.38, 0.20, 0.07),
    "lime": (0.60, 0.92, 0.15),
    "white": (0.96, 0.96, 0.96),
    "black": (0.06, 0.06, 0.06),
}


def _known_colour(colour: str) -> str:
    if colour not in COLOURS:
        raise ValueError(f"no colour {colour!r}; there are {list(COLOURS)}")
    return colour


Colour = Annotated[str, AfterValidator(_known_colour)]
Metres = Annotated[float, Field(gt=0, le=0.3)]
Angle = Annotated[float, Field(ge=0.1, le=2.8)]  # of a joint's travel [rad]: a wrist turns no further
Damping = Annotated[float, Field(gt=0, le=10)]  # [N s/m] of a slide, [N m s/rad] of a hinge


class SceneObject(BaseModel, ABC):
    """An object on the table.

    name: its role in the task ("target"), used by goals and instructions; colour: a key of COLOURS;
    region_m: (x_min, y_min, x_max, y_max) where its centre is placed [m, workspace frame];
    yaw_range_rad: (low, high) its turn about the vertical;
    place: on, inside or beside another object instead of in region_m;
    free: whether it can be moved bodily; if not, it is a mocap body, which only a reset moves;
    noun: what a person calls it, where that is not its kind.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    free: ClassVar[bool] = False
    noun: ClassVar[str] = ""

    kind: str  # narrowed by each class that a spec may name; here so that it comes first in every file
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    colour: Colour
    region_m: Region
    yaw_range_rad: YawRange
    place: AnyPlacement | None = None

    @property
    def words(self) -> str:
        """What a person would call it: "red block"."""
        return f"{self.colour} {self.noun or self.kind}"

    @property
    @abstractmethod
    def bounds_m(self) -> tuple[float, float, float]:
        """Half extents of the box around the shut object, in its body's frame, without handles and spouts [m]."""

    @property
    def radius_m(self) -> float:
        """Radius of a disc on the table which holds the object however it is turned and opened [m]."""
        return math.hypot(*self.bounds_m[:2])

    @property
    def rest_height_m(self) -> float:
        """Height of the body's origin above the table when it stands there [m]."""
        return self.bounds_m[2]

    @property
    def height_m(self) -> float:
        """Height of its top over what it stands on [m]."""
        return self.rest_height_m + self.bounds_m[2]

    @abstractmethod
    def add_to(self, scene: mujoco.MjSpec) -> None:
        """Add the body `name`, the geom `name` (its shape, or an invisible box around it) and the site `name/top`.

        Fixed objects are mocap bodies, so a reset can move them too.
        """

    @property
    def rgba(self) -> list[float]:
        return [*COLOURS[self.colour], 1.0]

    def site(self, part: str) -> str:
        """The scene's name of a part of this object: a site, a body, a geom."""
        return f"{self.name}/{part}"


class Graspable(SceneObject):
    """A free object for parallel jaws coming from above: at the site `name/grasp`, closing along the site's x."""

    free: ClassVar[bool] = True

    @property
    def grasp_width_m(self) -> float:
        """What the jaws close on [m]; they open 0.07 to 0.08, wider things can only be pushed."""
        return 2 * min(self.bounds_m[:2])


class Solid(SceneObject):
    """An object with a box around it. half_extents_m: (x, y, z), each at least the class's `least_half_m`."""

    least_half_m: ClassVar[tuple[float, float, float]] = (0.0, 0.0, 0.0)

    half_extents_m: tuple[Metres, Metres, Metres]

    @model_validator(mode="after")
    def _large_enough(self) -> Self:
        if any(half < least for half, least in zip(self.half_extents_m, self.least_half_m, strict=True)):
            raise ValueError(f"half_extents_m {self.half_extents_m} must be at least {self.least_half_m}")
        return self

    @property
    def bounds_m(self) -> tuple[float, float, float]:
        return self.half_extents_m


class Articulated(Solid):
    """A fixed object with one joint, from `low` (shut, off, up) to `high` (fully open, on, pressed).

    Its site `name/handle`, on the moving part, is where a tool takes or pushes it. The jaws close along its x, which is
    level at every opening; its y is the way it moves when it opens (across y for a drawer, whose bar lies across).
    motion: slide along a line; hinge about a vertical; turn on the spot; press down; flip about a level axis.
    start_fraction: of its range, where the joint stands when an episode begins.
    """

    motion: ClassVar[Literal["slide", "hinge", "turn", "press", "flip"]]

    start_fraction: Annotated[float, Field(ge=0, le=1)] = 0.0

    @property
    def joint_name(self) -> str:
        return f"{self.name}/joint"

    @property
    @abstractmethod
    def joint_range(self) -> tuple[float, float]:
        """(low, high) [m or rad]"""


class Turning(Articulated):
    """One whose joint is a hinge. travel_rad: from shut to fully open."""

    travel_rad: Angle
    damping: Damping

    @property
    def joint_range(self) -> tuple[float, float]:
        return 0.0, self.travel_rad


class Sliding(Articulated):
    """One whose joint is a slide. travel_m: from shut to fully open."""

    travel_m: Metres
    damping: Damping

    @property
    def joint_range(self) -> tuple[float, float]:
        return 0.0, self.travel_m
