"""Statements made of statements: all, any, not, at least so many, held for a time."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sim_finetune.predicates.base import Predicate, every
from sim_finetune.predicates.view import SceneView, mean

Parts = Annotated[tuple["AnyPredicate", ...], Field(min_length=1, max_length=8)]


class _Several(Predicate):
    parts: Parts

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for part in self.parts:
            yield from part.names()

    def inner(self) -> tuple[Predicate, ...]:
        return self.parts


class _One(Predicate):
    part: "AnyPredicate"

    def names(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        yield from self.part.names()

    def inner(self) -> tuple[Predicate, ...]:
        return (self.part,)


class AllOf(_Several):
    """Every part holds."""

    kind: Literal["all"]

    def holds(self, view: SceneView) -> bool:
        return all(part.holds(view) for part in self.parts)

    def gone(self, view: SceneView) -> bool:
        return any(part.gone(view) for part in self.parts)

    def progress(self, view: SceneView) -> float:
        return mean([part.progress(view) for part in self.parts])


class AnyOf(_Several):
    """One part holds, or more."""

    kind: Literal["any"]

    def holds(self, view: SceneView) -> bool:
        return any(part.holds(view) for part in self.parts)

    def gone(self, view: SceneView) -> bool:
        return all(part.gone(view) for part in self.parts)

    def progress(self, view: SceneView) -> float:
        return max(part.progress(view) for part in self.parts)


class AtLeast(_Several):
    """`count` parts hold, or more."""

    kind: Literal["at_least"]
    count: Annotated[int, Field(ge=1, le=8)]

    @model_validator(mode="after")
    def _has_that_many(self) -> Self:
        if self.count > len(self.parts):
            raise ValueError(f"at_least {self.count} of {len(self.parts)} parts can never hold")
        return self

    def holds(self, view: SceneView) -> bool:
        return sum(part.holds(view) for part in self.parts) >= self.count

    def gone(self, view: SceneView) -> bool:
        return sum(not part.gone(view) for part in self.parts) < self.count

    def progress(self, view: SceneView) -> float:
        return mean(sorted(part.progress(view) for part in self.parts)[-self.count :])


class Not(_One):
    """The part does not hold; an object is not on a support when no part of it rests there."""

    kind: Literal["not"]

    def holds(self, view: SceneView) -> bool:
        return self.part.gone(view)

    def progress(self, view: SceneView) -> float:
        return float(self.holds(view))


class HoldFor(_One):
    """The part has held for `seconds` without a break, as far as the environment looked (once a control period)."""

    kind: Literal["hold_for"]
    seconds: Annotated[float, Field(gt=0, le=5)]

    def _share(self, view: SceneView) -> float:
        since = view.since.get(self)
        return 0.0 if since is None else min(max(view.data.time - since + 1e-9, 0.0) / self.seconds, 1.0)

    def holds(self, view: SceneView) -> bool:
        return self._share(view) == 1.0

    def progress(self, view: SceneView) -> float:
        return 0.9 * self.part.progress(view) + 0.1 * self._share(view)


def timed(predicates: Iterable[Predicate]) -> list["HoldFor"]:
    """Every `hold_for` among the predicates and what they are made of."""
    return [inner for predicate in predicates for inner in every(predicate) if isinstance(inner, HoldFor)]


def keep_time(statements: Iterable["HoldFor"], view: SceneView) -> None:
    """Note in `view.since` when each of `timed` began to hold; call it after every change of the scene."""
    for statement in statements:
        if statement.part.holds(view):
            view.since.setdefault(statement, view.data.time)
        else:
            view.since.pop(statement, None)
