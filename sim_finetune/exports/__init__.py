"""Demonstrations for other people's programs: one file a format, found by looking into this folder."""

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lapa.shards import ShardIndex, shard_paths


def formats() -> list[str]:
    """Names of the formats there are."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def check_format(name: str | None) -> None:
    """ValueError, with the choices, unless `name` is a format or None; before any demonstration is made."""
    if name is not None and name not in formats():
        raise ValueError(f"no export {name!r}; there are {formats()}")


def export(name: str, demos: Path, out: Path, facts: Mapping[str, Any]) -> None:
    """Write the shards of demonstrations in `demos` to `out` in that format; `facts` are those of their manifest."""
    check_format(name)
    importlib.import_module(f"{__name__}.{name}").write(ShardIndex(shard_paths(demos)), out, facts)
