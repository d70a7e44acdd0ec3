"""Every class of object a task spec may name: one file each, found by looking into this folder."""

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from sim_finetune.objects.base import COLOURS, SceneObject


def object_classes() -> list[type[SceneObject]]:
    """The concrete objects, in order of their file names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, SceneObject)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    ]


if TYPE_CHECKING:
    AnyObject = Any
else:
    # typing.Union because the members are found at run time
    AnyObject = Annotated[Union[tuple(object_classes())], Field(discriminator="kind")]  # noqa: UP007

__all__ = ["COLOURS", "AnyObject", "SceneObject", "object_classes"]
