"""What a reset may change beside the places, as data; in: fields of a task spec or look, a generator; out: what was drawn."""

from typing import Annotated, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

TEXTURES = ("plain", "checker", "gradient", "tiles")
HEIGHT_LEVELS = 5  # few, because every height has an inverse kinematics of its own, made once a process


Share = Annotated[float, Field(ge=0, le=1)]
Metres = Annotated[float, Field(ge=-1, le=1)]


class Randomise(BaseModel):
    """How a scene looks: a spread, everything of which is off at 0, about a middle, which is ours unless it is said.

    light: the lamp's strength is multiplied by 1 ± light, and its place moves by as much [m]; camera_m: how far every
    camera moves along each axis, looking where it looked [m]; table_colour: share of a random colour mixed into the
    table's grey; table_texture: whether the table may get a pattern; table_height_m: how far the table stands higher
    or lower under the robot [m]; clutter: the most fixed grey things that stand about, out of the objects' way.
    The middle: lamp: factor of its strength; lamp_shift_m, camera_shift_m: x, y, z of the lamp and of every camera [m];
    table_rgb, floor_rgb: colours; texture: the table's pattern.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    light: Annotated[float, Field(ge=0, le=0.8)] = 0.0
    camera_m: Annotated[float, Field(ge=0, le=0.1)] = 0.0
    table_colour: Annotated[float, Field(ge=0, le=1)] = 0.0
    table_texture: bool = False
    table_height_m: Annotated[float, Field(ge=0, le=0.05)] = 0.0
    clutter: Annotated[int, Field(ge=0, le=8)] = 0
    lamp: Annotated[float, Field(ge=0, le=3)] = 1.0
    lamp_shift_m: tuple[Metres, Metres, Metres] = (0.0, 0.0, 0.0)
    camera_shift_m: tuple[Metres, Metres, Metres] = (0.0, 0.0, 0.0)
    table_rgb: tuple[Share, Share, Share] | None = None
    floor_rgb: tuple[Share, Share, Share] | None = None
    texture: Literal["plain", "checker", "gradient", "tiles"] = "plain"


class Drawn(NamedTuple):
    """One episode's look: plain numbers, to be recorded. Shifts in m, colours in [0, 1]."""

    lamp_strength: float
    lamp_shift_m: list[float]
    camera_shift_m: dict[str, list[float]]
    table_rgb: list[float]  # the random colour, before it is mixed
    table_texture: str
    table_height_m: float
    clutter: int


def draw(randomise: Randomise, cameras: list[str], rng: np.random.Generator) -> Drawn:
    """One episode's look, from the generator alone."""

    def shift(middle_m: tuple[float, ...], size_m: float) -> list[float]:
        return [float(middle + size_m * part) for middle, part in zip(middle_m, rng.uniform(-1, 1, 3), strict=True)]

    level = int(rng.integers(HEIGHT_LEVELS)) / (HEIGHT_LEVELS - 1) * 2 - 1
    texture = TEXTURES[int(rng.integers(len(TEXTURES)))]
    return Drawn(
        lamp_strength=randomise.lamp * (1 + randomise.light * float(rng.uniform(-1, 1))),
        lamp_shift_m=shift(randomise.lamp_shift_m, randomise.light),
        camera_shift_m={camera: shift(randomise.camera_shift_m, randomise.camera_m) for camera in cameras},
        table_rgb=[float(part) for part in rng.uniform(0, 1, 3)],
        table_texture=texture if randomise.table_texture else randomise.texture,
        table_height_m=randomise.table_height_m * level,
        clutter=int(rng.integers(randomise.clutter + 1)),
    )
