"""A task spec in, the wire form nearest to it out: how accepted tasks are shown to a language model."""

from collections.abc import Mapping
from string import Formatter
from typing import Any

import numpy as np

from sim_finetune.catalogue import Catalogue, Row, pick, scaled
from sim_finetune.spec import TaskSpec
from sim_finetune.statements import flatten, shapes
from sim_finetune.wire import MOST_OBJECTS, MOST_STATEMENTS, RELATIONS, choices


def to_wire(spec: TaskSpec, catalogue: Catalogue) -> Row:
    """The task with its objects renamed, and sizes, places and numbers moved to the nearest choices.

    On what this gives, `from_wire` and `to_wire` are inverse. ValueError for what the wire form has no room for.
    """
    document = spec.model_dump(mode="json")
    stages = document.get("stages", [])
    rows, numbers = flatten([document["goal"], *(stage["goal"] for stage in stages)])
    if len(spec.objects) > MOST_OBJECTS or len(rows) > MOST_STATEMENTS:
        raise ValueError(f"{spec.name} has more than {MOST_OBJECTS} objects or {MOST_STATEMENTS} statements")
    old = [thing.name for thing in spec.objects]
    names = dict(zip(old, old if set(old) <= set(catalogue.names) else catalogue.names, strict=False))
    pairs = zip(numbers[1:], stages, strict=True)
    return {
        "name": spec.name,
        "instructions": [_say(text, names) for text in document["instructions"][:4]],
        "objects": [_thing(thing, names, catalogue) for thing in document["objects"]],
        "statements": [_statement(row, names, catalogue) for row in rows],
        "stages": [{"goal": goal, "instruction": _say(stage["instruction"], names)} for goal, stage in pairs],
        "goal": numbers[0],
        "missing_primitives": list(document.get("missing_primitives", [])),
    }


def _say(template: str, names: Mapping[str, str]) -> str:
    parts = Formatter().parse(template)
    return "".join(text + (f"{{{names[field]}}}" if field is not None else "") for text, field, _, _ in parts)


def _thing(thing: Row, names: Mapping[str, str], catalogue: Catalogue) -> Row:
    fields = pick(catalogue.kinds, thing["kind"], "kind")["fields"]
    size = min(catalogue.sizes, key=lambda word: _apart(thing, scaled(fields, catalogue.sizes[word])))
    region = {"region_m": thing["region_m"]}
    place = min(catalogue.areas, key=lambda word: _apart(region, {"region_m": catalogue.areas[word]}))
    given = thing.get("place") or {}
    if given.get("kind") in RELATIONS:
        place = f"{given['kind']} {names[given[RELATIONS[given['kind']]]]}"
    return {
        "name": names[thing["name"]],
        "kind": thing["kind"],
        "colour": thing["colour"],
        "size": size,
        "place": place,
        "state": "open" if thing.get("start_fraction", 0.0) > 0.5 else "usual",
    }


def _apart(thing: Row, fields: Row) -> float:
    """Sum of absolute differences of the lengths, in metres."""
    lengths = [name for name in fields if name.endswith("_m")]
    return sum(float(np.abs(np.subtract(thing[name], fields[name])).sum()) for name in lengths)


def _statement(row: Row, names: Mapping[str, str], catalogue: Catalogue) -> Row:
    told: Row = {"kind": row["kind"]}
    for field, form in shapes()[row["kind"]].items():
        if form.what == "choice":
            told[field] = _nearest(row[field], choices(row["kind"], field, form, catalogue))
        else:
            told[field] = _renamed(row[field], names) if form.what == "name" else row[field]
    return told


def _nearest(value: Any, allowed: list[Any]) -> Any:
    if isinstance(value, list):
        return [_nearest(part, allowed) for part in value]
    if value in allowed or value is None:
        return value
    if isinstance(value, str):
        raise ValueError(f"the wire form has no word for {value!r}; it has {allowed}")
    return min((choice for choice in allowed if choice is not None), key=lambda choice: abs(choice - value))


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(part, names) for part in value]
    return names.get(value)
