"""Where things may stand, as data; in: fields of a task spec; out: regions, relations and offsets of patterns [m]."""

import math
from typing import Annotated, Literal, Self

import numpy as np
from jaxtyping import Float
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _ordered_region(region: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x_min, y_min, x_max, y_max = region
    if x_min > x_max or y_min > y_max:
        raise ValueError(f"region {region} must be (x_min, y_min, x_max, y_max)")
    return region


def _ordered_range(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError(f"range {span} must be (low, high)")
    return span


_Metre = Annotated[float, Field(ge=-1, le=1)]
_Turn = Annotated[float, Field(ge=-2 * math.pi, le=2 * math.pi)]
Region = Annotated[tuple[_Metre, _Metre, _Metre, _Metre], AfterValidator(_ordered_region)]
YawRange = Annotated[tuple[_Turn, _Turn], AfterValidator(_ordered_range)]
Offset = Annotated[float, Field(ge=-0.5, le=0.5)]
Pattern = Literal["line", "grid", "ring", "stack", "pyramid", "partition"]
FLAT = ("line", "grid", "ring", "partition")  # patterns whose objects all stand on the table


class _Placement(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def parent(self) -> str | None:
        """The object this one is placed by, or None for the table."""
        return None


class RegionPlace(_Placement):
    """Anywhere in region_m (x_min, y_min, x_max, y_max) [m, workspace frame], like SceneObject.region_m."""

    kind: Literal["region"]
    region_m: Region


class OnPlace(_Placement):
    """On top of another object, its centre within `within_m` of the support's top site along both axes."""

    kind: Literal["on"]
    support: str
    within_m: Annotated[float, Field(ge=0, le=0.2)]

    @property
    def parent(self) -> str:
        return self.support


class InsidePlace(_Placement):
    """In the hollow of another object, wholly between its walls."""

    kind: Literal["inside"]
    container: str

    @property
    def parent(self) -> str:
        return self.container


class RelativePlace(_Placement):
    """On the table, at an offset (x, y) [m] from another object, in that object's own frame."""

    kind: Literal["relative"]
    to: str
    offset_m: tuple[Offset, Offset]

    @property
    def parent(self) -> str:
        return self.to


AnyPlacement = Annotated[RegionPlace | OnPlace | InsidePlace | RelativePlace, Field(discriminator="kind")]


class Layout(_Placement):
    """Several objects in a pattern.

    objects: their names, in the pattern's order (stack and pyramid: from the bottom up, row by row);
    pitch_m: between neighbours' centres; for a partition, the least side of the cell that each object has to itself;
    region_m: where the pattern's middle lies (partition: what is divided into cells); yaw_range_rad: (low, high) of
    its turn about the vertical.
    """

    objects: Annotated[tuple[str, ...], Field(min_length=2, max_length=16)]
    pattern: Pattern
    pitch_m: Annotated[float, Field(gt=0, le=0.3)]
    region_m: Region
    yaw_range_rad: YawRange = (0.0, 0.0)

    @model_validator(mode="after")
    def _fits_its_pattern(self) -> Self:
        if len(set(self.objects)) < len(self.objects):
            raise ValueError(f"a layout names an object twice: {list(self.objects)}")
        if self.pattern == "pyramid":
            pyramid_rows(len(self.objects))
        return self


def pyramid_rows(count: int) -> list[int]:
    """Objects in each row, from the bottom: 6 → [3, 2, 1]; ValueError unless `count` is 3, 6, 10 or 15."""
    base = (math.isqrt(8 * count + 1) - 1) // 2
    if base < 2 or base * (base + 1) // 2 != count:
        raise ValueError(f"a pyramid needs 3, 6, 10 or 15 objects, not {count}")
    return list(range(base, 0, -1))


def pattern_rows(pattern: Pattern, count: int) -> list[int]:
    """How many objects each level holds, from the table up."""
    if pattern == "stack":
        return [1] * count
    return pyramid_rows(count) if pattern == "pyramid" else [count]


def pattern_offsets(pattern: Pattern, count: int, pitch_m: float) -> Float[np.ndarray, "count 2"]:
    """Places (x, y) of a pattern's objects about its middle [m]; a partition has none, its places are drawn."""
    steps = np.arange(count)
    if pattern == "ring":
        angles = 2 * np.pi * steps / count
        return pitch_m / (2 * np.sin(np.pi / count)) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    if pattern == "grid":
        columns = math.ceil(math.sqrt(count))
        places = np.stack([steps // columns, steps % columns], axis=1) * pitch_m
        return places - places.mean(axis=0)
    rows = [count] if pattern == "line" else pattern_rows(pattern, count)
    xs = np.concatenate([(np.arange(row) - (row - 1) / 2) * pitch_m for row in rows])
    return np.stack([xs, np.zeros(count)], axis=1)
