"""A free slim upright peg; in: radius and half height; out: a body with a free joint."""

from typing import Annotated, Literal

from pydantic import Field

from sim_finetune.objects.cylinder import Upright


class Peg(Upright):
    """A round peg, standing, for a slot of its size or a ring around it. size_m: (radius, half height)."""

    kind: Literal["peg"]
    size_m: tuple[Annotated[float, Field(ge=0.006, le=0.03)], Annotated[float, Field(ge=0.02, le=0.1)]]
