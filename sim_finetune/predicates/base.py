"""What every predicate has: names it binds to, whether it holds, progress; in: fields of a spec and a SceneView."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from sim_finetune.objects import object_classes
from sim_finetune.predicates.view import SceneView

Tolerance = Annotated[float, Field(gt=0, le=0.2)]
Angle = Annotated[float, Field(gt=0, le=np.pi)]
Share = Annotated[float, Field(gt=0, le=1)]
Symmetry = Annotated[int, Field(ge=1, le=36)]
Names = Annotated[tuple[str, ...], Field(min_length=2, max_length=16)]
RESTING_M = 0.01  # how far a resting bottom may be from what it rests on: contact softness and settling
FALL_M, FALL_RAD = 0.1, 0.5  # over which progress falls to 1/e


class Predicate(BaseModel, ABC):
    """A statement about the scene. `names` are objects it needs, with the kinds that make sense (empty: any).

    said: whether a person who asks for it names those objects; not for what is only to be left alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    said: ClassVar[bool] = True

    kind: str  # narrowed by each class; here so that it comes first in every file

    @abstractmethod
    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """(object, allowed kinds) for each object the statement is about."""

    @abstractmethod
    def holds(self, view: SceneView) -> bool:
        """Whether it is true now."""

    @abstractmethod
    def progress(self, view: SceneView) -> float:
        """In [0, 1]; exactly 1 when it holds. For rewards and logs, not for success."""

    def gone(self, view: SceneView) -> bool:
        """Whether its opposite is true now: for a person, who knows of no tolerance."""
        return not self.holds(view)

    def sites(self) -> Iterator[tuple[str, str]]:
        """(object, site of it) beyond "top" that the statement looks at."""
        yield from ()

    def inner(self) -> tuple["Predicate", ...]:
        """The statements a combinator is made of."""
        return ()


def every(predicate: Predicate) -> Iterator[Predicate]:
    """A predicate and all it is made of, the innermost first."""
    for part in predicate.inner():
        yield from every(part)
    yield predicate


def asked(predicate: Predicate) -> Iterator[Predicate]:
    """The simple predicates that a goal asks for: those it is made of, without what is under a `not`."""
    if predicate.kind != "not":
        yield from (leaf for part in predicate.inner() for leaf in asked(part))
        if not predicate.inner():
            yield predicate


@lru_cache
def kinds_with(trait: str) -> tuple[str, ...]:
    """Kinds of the objects whose class has a true `trait`: "free" (can be carried off), "joint_name" (articulated)."""
    classes = [cls for cls in object_classes() if getattr(cls, trait, False)]
    return tuple(kind_of(cls) for cls in classes)


@lru_cache
def kinds_moving(motion: str) -> tuple[str, ...]:
    """Kinds of the articulated objects whose joint moves that way: "slide", "hinge", "turn", "press", "flip"."""
    return tuple(kind_of(cls) for cls in object_classes() if getattr(cls, "motion", None) == motion)


def kind_of(cls: type[BaseModel]) -> str:
    """The word a class goes by in a spec."""
    return cls.model_fields["kind"].annotation.__args__[0]  # type: ignore[union-attr]


def nearness(rest: float, scale: float) -> float:
    """1 when nothing (or less) is left, falling to 1/e over `scale`."""
    return float(np.exp(-max(rest, 0.0) / scale))
