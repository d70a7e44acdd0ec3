"""Every kind of statement a goal may be made of: one file a family, found by looking into this folder."""

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from sim_finetune.found import classes_in
from sim_finetune.predicates.base import Predicate, every, kind_of
from sim_finetune.predicates.joints import JointFraction
from sim_finetune.predicates.logic import AllOf, keep_time, timed
from sim_finetune.predicates.places import InZone, OnTop
from sim_finetune.predicates.tool import Released, ToolNear
from sim_finetune.predicates.view import SceneView, mean


def predicate_classes() -> list[type[Predicate]]:
    """The concrete predicates, in order of their file names."""
    return classes_in(__name__, Predicate)


if TYPE_CHECKING:
    AnyPredicate = Any
else:
    # typing.Union because the members are found at run time
    AnyPredicate = Annotated[Union[tuple(predicate_classes())], Field(discriminator="kind")]  # noqa: UP007
    for _cls in predicate_classes():
        _cls.model_rebuild(_types_namespace={"AnyPredicate": AnyPredicate})  # combinators hold any of them

__all__ = [
    "AllOf",
    "AnyPredicate",
    "InZone",
    "JointFraction",
    "OnTop",
    "Predicate",
    "Released",
    "SceneView",
    "ToolNear",
    "every",
    "keep_time",
    "kind_of",
    "mean",
    "predicate_classes",
    "timed",
]
