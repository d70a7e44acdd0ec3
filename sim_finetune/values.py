"""A JSON document with drawn values and a generator in; the same document with literals out. Nothing is executed.

A value may be {"uniform": [low, high]}, {"choice": [one, other, …]} or {"ref": "cube.half_extents_m.2", "times": 0.5,
"plus": 0.01}, which takes a number from elsewhere in the document: by an object's name, or from the top.
"""

from typing import Any

import numpy as np

MAX_DEPTH = 32  # of the document, and of references to references
MAX_DRAWS = 1000
LARGEST = 1e9
DECIMALS = 6  # of what is drawn: a micrometre, and a literal that reads well
SHAPES = "{uniform: [low, high]}, {choice: [...]} or {ref: path, times: number, plus: number}"


def has_values(document: Any) -> bool:
    """Whether anything in the document is to be drawn; ValueError when it is nested too deep."""
    return any(_is_value(node) for node in _nodes(document, 0))


def resolve(document: Any, rng: np.random.Generator) -> Any:
    """The document with every value a literal; keys are drawn for in sorted order, so that their order is no matter.

    ValueError in one line, with the path, for a value that is malformed or refers to nothing.
    """
    if sum(_is_value(node) for node in _nodes(document, 0)) > MAX_DRAWS:
        raise ValueError(f"more than {MAX_DRAWS} values to draw")
    drawn = _draw(document, rng, "")
    return _refer(drawn, drawn, "", 0)


def _is_value(node: Any) -> bool:
    return isinstance(node, dict) and bool({"uniform", "choice", "ref"} & node.keys())


def _nodes(node: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")
    yield node
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list | tuple) else ():
        yield from _nodes(part, depth + 1)


def _draw(node: Any, rng: np.random.Generator, path: str) -> Any:
    if isinstance(node, list | tuple):
        return [_draw(part, rng, f"{path}.{i}") for i, part in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if not _is_value(node):
        return {key: _draw(node[key], rng, f"{path}.{key}") for key in sorted(node, key=str)}
    if set(node) == {"uniform"}:
        return round(float(rng.uniform(*_bounds(node["uniform"], path))), DECIMALS)
    if set(node) == {"choice"}:
        among = node["choice"]
        if not isinstance(among, list | tuple) or not among:
            raise _malformed(node, path)
        return _draw(among[int(rng.integers(len(among)))], rng, path)
    if "ref" not in node or not set(node) <= {"ref", "times", "plus"}:
        raise _malformed(node, path)
    return {key: _draw(value, rng, f"{path}.{key}") for key, value in node.items()}


def _bounds(pair: Any, path: str) -> tuple[float, float]:
    if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(_is_number(end) for end in pair):
        raise _malformed({"uniform": pair}, path)
    if pair[0] > pair[1]:
        raise ValueError(f"{path[1:]}: uniform {list(pair)} must be [low, high]")
    return float(pair[0]), float(pair[1])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST


def _malformed(node: Any, path: str) -> ValueError:
    return ValueError(f"{path[1:]}: {str(node)[:80]} is no value; a value is {SHAPES}")


def _refer(node: Any, document: Any, path: str, depth: int) -> Any:
    """Replace every reference by its number; `depth` counts references followed on the way."""
    if isinstance(node, list):
        return [_refer(part, document, f"{path}.{i}", depth) for i, part in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if not _is_value(node):
        return {key: _refer(part, document, f"{path}.{key}", depth) for key, part in node.items()}
    if depth > MAX_DEPTH:
        raise ValueError(f"{path[1:]}: references go round in a circle at {node['ref']!r}")
    found = _find(document, node["ref"], path)
    found = _refer(found, document, path, depth + 1) if _is_value(found) else found
    if isinstance(found, dict) or (isinstance(found, list) and any(isinstance(part, dict | list) for part in found)):
        raise ValueError(f"{path[1:]}: {node['ref']!r} must lead to a number, a word or a plain list of them")
    times, plus = node.get("times"), node.get("plus")
    if times is None and plus is None:
        return found
    if not all(_is_number(part) for part in (found, 1 if times is None else times, 0 if plus is None else plus)):
        raise ValueError(
            f"{path[1:]}: {node['ref']!r} is {str(found)[:40]}; only numbers can be multiplied and added to"
        )
    return round(found * (1 if times is None else times) + (plus or 0), DECIMALS)


def _find(document: Any, ref: Any, path: str) -> Any:
    """What a path leads to, from the object of that name or from the top of the document."""
    if not isinstance(ref, str):
        raise _malformed({"ref": ref}, path)
    first, *rest = ref.split(".")
    things = document.get("objects") if isinstance(document, dict) else None
    named = {
        thing["name"]: thing for thing in things or () if isinstance(thing, dict) and isinstance(thing.get("name"), str)
    }
    node = named.get(first, document.get(first) if isinstance(document, dict) else None)
    for step in rest:
        if isinstance(node, list) and step.isascii() and step.isdigit() and int(step[:4]) < len(node):
            node = node[int(step[:4])]
        elif isinstance(node, dict) and step in node:
            node = node[step]
        else:
            node = None
    if node is None:
        raise ValueError(f"{path[1:]}: {ref[:80]!r} leads nowhere; objects are {sorted(named)}")
    return node
