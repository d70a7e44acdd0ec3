"""A flat form of a task for language models: its JSON Schema, and the way from it to a task's document.

Few levels and enums wherever possible, so that a small model under constrained decoding can fill it in. An object is a
name, a kind, a size, a place of the catalogue, and whether it stands open. A goal's tree becomes a list of statements:
the parts of `not`, `any` and the like are numbers of earlier statements; `goal` lists those that must hold at the end.
"""

import json
from typing import Any

from sim_finetune.catalogue import Catalogue, Row, pick
from sim_finetune.objects import COLOURS
from sim_finetune.statements import Form, Shape, links, shapes, unflatten

MOST_OBJECTS, MOST_STATEMENTS, MOST_STAGES = 8, 12, 4
MOST_DEPTH = 12
FREE_WORDS = "[a-zA-Z0-9 ,.'-]"
STATES = {"usual": 0.0, "open": 0.85}  # where its joint stands at the start, if it has one
RELATIONS = {"on": "support", "inside": "container"}  # places by another object, and the field that names it


def wire_schema(catalogue: Catalogue) -> Row:
    """JSON Schema of the wire form: every field required, nothing else allowed, no reference and no recursion."""
    words = FREE_WORDS + "{1,80}"
    spoken = {"type": "string", "pattern": f"^({FREE_WORDS}|\\{{({'|'.join(catalogue.names)})\\}}){{8,100}}$"}
    some = _list(_index(), 1, 6)
    rows = [_statement(kind, shape, catalogue) for kind, shape in shapes().items()]
    return _object(
        {
            "name": {"type": "string", "pattern": "^[a-z][a-z0-9_]{2,40}$"},
            "instructions": _list(spoken, 1, 4),  # first the idea, then what it needs
            "objects": _list(_thing(catalogue), 1, MOST_OBJECTS),
            "statements": _list({"anyOf": rows}, 1, MOST_STATEMENTS),
            "stages": _list(_object({"goal": some, "instruction": spoken}), 0, MOST_STAGES),
            "goal": some,
            "missing_primitives": _list({"type": "string", "pattern": f"^{words}$"}, 0, 3),
        }
    )


def _object(fields: Row) -> Row:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _list(items: Row, least: int, most: int) -> Row:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _index() -> Row:
    return {"type": "integer", "minimum": 0, "maximum": MOST_STATEMENTS - 1}


def _thing(catalogue: Catalogue) -> Row:
    places = [*catalogue.areas, *(f"{relation} {name}" for relation in RELATIONS for name in catalogue.names)]
    choices = {"name": catalogue.names, "kind": list(catalogue.kinds), "colour": list(COLOURS)}
    choices |= {"size": list(catalogue.sizes), "place": places, "state": list(STATES)}
    return _object({field: {"enum": words} for field, words in choices.items()})


def _statement(kind: str, shape: Shape, catalogue: Catalogue) -> Row:
    fields: Row = {"kind": {"const": kind}}
    for field, form in shape.items():
        if form.what == "link":
            value = _index()
        elif form.what == "name":
            value = {"enum": [*catalogue.names, *([None] if form.optional and not form.lengths else [])]}
        else:
            value = {"enum": choices(kind, field, form, catalogue)}
        for least, most in reversed(form.lengths):
            value = _list(value, least, min(most, MOST_OBJECTS))
        fields[field] = value
    return _object(fields)


def choices(kind: str, field: str, form: Form, catalogue: Catalogue) -> list[Any]:
    """What a statement's field may be: the catalogue's values, its enum, or else three over the range it may have."""
    low, high = form.bounds
    sensible = catalogue.values.get(f"{kind}.{field}", catalogue.values.get(field))
    values = sensible or form.values or [round(low + share * (high - low), 3) for share in (0.25, 0.5, 0.75)]
    return [*values, None] if form.optional and not form.lengths else list(values)


def parse(text: str, *, max_bytes: int) -> Row:
    """The JSON object in a model's reply, prose or a fence around it left out; ValueError says why there is none."""
    if len(text.encode("utf-8", "replace")) > max_bytes:
        raise ValueError(f"the reply is longer than {max_bytes} bytes")
    first, last = text.find("{"), text.rfind("}")
    if first < 0 or last < first:
        raise ValueError("the reply holds no JSON object")
    try:
        wire = json.loads(text[first : last + 1])
    except RecursionError:
        raise ValueError("the reply is nested too deeply") from None
    if not isinstance(wire, dict):
        raise ValueError("the reply holds no JSON object")
    _check_depth(wire, MOST_DEPTH)
    return wire


def _check_depth(node: Any, left: int) -> None:
    """Deeper than any task, and whoever walks through it might not come back."""
    if left == 0:
        raise ValueError("the reply is nested too deeply")
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _check_depth(part, left - 1)


def from_wire(wire: Row, catalogue: Catalogue) -> Row:
    """The task's document, for the ladder to judge; ValueError names the field that has no meaning.

    Only what must be looked up or resolved is checked here; names, types and ranges are TaskSpec's business.
    """
    if missing := sorted({"name", "objects", "statements", "goal", "instructions"} - set(wire)):
        raise ValueError(f"the task lacks {missing}")
    rows, things = _rows(wire, "statements", MOST_STATEMENTS), _rows(wire, "objects", MOST_OBJECTS)
    goal = unflatten(rows, wire["goal"])
    document = dict(catalogue.task)
    document |= {"name": wire["name"], "family": _family(goal), "goal": goal, "instructions": wire["instructions"]}
    document["objects"] = [_furnish(thing, catalogue) for thing in things]
    stages = [_stage(stage, rows, catalogue) for stage in _rows(wire, "stages", MOST_STAGES)]
    extras = {"stages": stages, "missing_primitives": wire.get("missing_primitives", [])}
    return document | {field: value for field, value in extras.items() if value}


def _rows(wire: Row, field: str, most: int) -> list[Any]:
    rows = wire.get(field, [])
    if not isinstance(rows, list) or len(rows) > most or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{field}: a list of at most {most} objects is needed")
    return rows


def _furnish(row: Row, catalogue: Catalogue) -> Row:
    """The object of a task that a wire object says; places by another object keep the kind's own area beside."""
    place = row.get("place")
    relation, _, other = place.partition(" ") if isinstance(place, str) else ("", "", "")
    related = relation in RELATIONS and other in catalogue.names
    area = "" if related else place if pick(catalogue.areas, place, "place") else ""
    thing = catalogue.thing(row.get("name"), row.get("kind"), colour=row.get("colour"), size=row.get("size"), area=area)  # type: ignore[arg-type]
    if related:
        extra = {"within_m": 0.01} if relation == "on" else {}
        thing["place"] = {"kind": relation, RELATIONS[relation]: other, **extra}
    opened = pick(STATES, row.get("state", "usual"), "state")
    return thing | ({"start_fraction": opened} if opened else {})  # which a thing without a joint has not: R1 says so


def _stage(row: Row, rows: list[Any], catalogue: Catalogue) -> Row:
    return {
        **catalogue.stage,
        "goal": unflatten(rows, row.get("goal")),
        "instruction": row.get("instruction"),
    }


def _family(goal: Row) -> str:
    """What the goal's first statement is about, under any combinators: the group in result tables."""
    while parts := links(goal):
        goal = parts[0]
    return goal["kind"]
