"""A package in; the classes in its files that a spec may name out: a new file there is a new kind, without a list."""

import importlib
import pkgutil
from typing import Any, Literal, get_origin

from pydantic import BaseModel


def classes_in(package: str, base: type[BaseModel]) -> list[Any]:
    """The subclasses of `base` that have a `kind` of their own, in order of their files' names, then as written."""
    names = sorted(module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__))
    modules = [importlib.import_module(f"{package}.{name}") for name in names]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
        and get_origin(value.model_fields["kind"].annotation) is Literal
    ]
