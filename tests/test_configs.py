"""Every yaml composes, and every `_target_` in it exists and takes the arguments the yaml gives it."""

import importlib
import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from lapa.doors import DOORS, configs_dir

FILES = sorted(configs_dir().rglob("*.yaml"))


def targets(node: Any) -> Iterator[dict]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield node
        for value in node.values():
            yield from targets(value)
    elif isinstance(node, list):
        for value in node:
            yield from targets(value)


def test_every_door_has_its_yaml():
    assert {f"{door}.yaml" for door in DOORS} <= {path.name for path in configs_dir().glob("*.yaml")}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(configs_dir())))
def test_targets_exist_and_take_these_arguments(path):
    for node in targets(yaml.safe_load(path.read_text())):
        module, _, name = node["_target_"].rpartition(".")
        try:
            target = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError:  # a class method: module.Class.method
            outer, _, cls = module.rpartition(".")
            target = getattr(getattr(importlib.import_module(outer), cls), name)
        given = {key: None for key in node if key != "defaults" and not (key.startswith("_") and key.endswith("_"))}
        bind = inspect.signature(target).bind_partial if node.get("_partial_") else inspect.signature(target).bind
        if not node.get("_args_"):
            bind(**given)
