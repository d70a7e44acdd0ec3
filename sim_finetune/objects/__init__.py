"""Every class of object a task spec may name: one file each, found by looking into this folder."""

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from sim_finetune.found import classes_in
from sim_finetune.objects.base import COLOURS, SceneObject


def object_classes() -> list[type[SceneObject]]:
    """The concrete objects, in order of their file names."""
    return classes_in(__name__, SceneObject)


if TYPE_CHECKING:
    AnyObject = Any
else:
    # typing.Union because the members are found at run time
    AnyObject = Annotated[Union[tuple(object_classes())], Field(discriminator="kind")]  # noqa: UP007

__all__ = ["COLOURS", "AnyObject", "SceneObject", "object_classes"]
