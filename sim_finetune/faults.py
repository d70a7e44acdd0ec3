"""A JSON document from outside in; what no task may hold and where out, as `goal.parts.1.object`."""

import math
import re
from collections.abc import Iterator
from typing import Any

LARGEST = 1e9  # no length, angle, time or count of a task comes near
QUOTED = re.compile(r"'([^']*)'")


class Pairs(dict):
    """A JSON object that remembers which of its keys were given more than once; for json's object_pairs_hook."""

    def __init__(self, pairs: list[tuple[str, Any]]):
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.twice = sorted(name for name in self if names.count(name) > 1) if len(self) < len(names) else []


def faults(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[str, str]]:
    """(path, what is wrong) of every key given twice and every number that is none or too large."""
    if isinstance(node, Pairs) and node.twice:
        yield dotted(path), f"keys given twice: {node.twice}"
    if isinstance(node, float) and not math.isfinite(node):
        yield dotted(path), f"{node} is not a number that a task may hold"
    elif isinstance(node, (int, float)) and abs(node) > LARGEST:
        yield dotted(path), f"a number beyond {LARGEST:g}"
    for key, value in _children(node):
        yield from faults(value, (*path, key))


def dotted(path: tuple[Any, ...]) -> str:
    """The way to a place in a document: `goal.parts.1`; "task" for the whole of it."""
    return ".".join(map(str, path)) or "task"


def with_path(message: str, document: Any) -> str:
    """The message about a whole task, told of the place it is about: where the first name stands that it quotes.

    Where an object is defined counts last, because the fault is in what refers to it.
    """
    for quoted in QUOTED.findall(message):
        if found := sorted(_where(document, quoted), key=_remoteness):
            return message.replace("task: ", f"{dotted(found[0])}: ", 1)
    return message


def _remoteness(path: tuple[Any, ...]) -> int:
    return 2 if path[-1] == "name" else 1 if "instruction" in str(path) else 0


def _where(node: Any, text: str, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of the strings that are `text`, or that name it as {text}."""
    if isinstance(node, str) and (node == text or f"{{{text}}}" in node):
        yield path
    for key, value in _children(node):
        yield from _where(value, text, (*path, key))


def _children(node: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, dict):
        yield from node.items()
    elif isinstance(node, list):
        yield from enumerate(node)
