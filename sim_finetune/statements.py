"""A goal's tree of predicates in, a flat list of statements that point at earlier ones out; and back."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sim_finetune.spec import TaskSpec

Row = dict[str, Any]
MOST_NODES = 48  # of a goal's tree, written out: a statement that others share counts once for each of them


class Form(NamedTuple):
    """What a statement's field holds. what: a link to another statement, an object's name, or a choice of values;
    lengths: (least, most) of each level of arrays around it, outermost first; values: those of an enum, or none;
    bounds: of a number; optional: may be left out.
    """

    what: str
    lengths: list[tuple[int, int]]
    values: list[Any]
    bounds: tuple[float, float]
    optional: bool


Shape = dict[str, Form]


@cache
def shapes() -> dict[str, Shape]:
    """The fields of every kind of predicate, without `kind`, read from the JSON Schema of TaskSpec."""
    schema = TaskSpec.model_json_schema()
    kinds = schema["properties"]["goal"]["discriminator"]["mapping"]
    return {kind: _shape(schema["$defs"][ref.rpartition("/")[2]]) for kind, ref in kinds.items()}


def _shape(definition: Row) -> Shape:
    fields = {name: _form(field) for name, field in definition["properties"].items() if name != "kind"}
    return {name: form._replace(optional=name not in definition["required"]) for name, form in fields.items()}


def _form(field: Any) -> Form:
    if "anyOf" in field:  # of a type or null
        return _form(next(part for part in field["anyOf"] if part.get("type") != "null"))
    if field.get("type") == "array":
        inner = _form(field["items"] if isinstance(field.get("items"), dict) else field["prefixItems"][0])
        length = (field.get("minItems", 0), field.get("maxItems", 8))
        return inner._replace(lengths=[length, *inner.lengths])
    low = float(field.get("minimum", field.get("exclusiveMinimum", 0.0)))
    bounds = (low, float(field.get("maximum", field.get("exclusiveMaximum", low + 1.0))))
    values = field.get("enum", [field["const"]] if "const" in field else [])
    if field.get("type") == "boolean":
        values = [False, True]
    if isinstance(field.get("default"), str):
        values = values or [field["default"]]
    plain_text = field.get("type") == "string" and not values  # every text without a default is an object's name
    what = "link" if "discriminator" in field else "name" if plain_text else "choice"
    return Form(what, [], values, bounds, False)


def glossary() -> str:
    """Every kind of predicate with its fields and what it means, a line each."""
    schema = TaskSpec.model_json_schema()
    kinds = schema["properties"]["goal"]["discriminator"]["mapping"]
    meanings = {kind: schema["$defs"][ref.rpartition("/")[2]].get("description", "") for kind, ref in kinds.items()}
    heads = {kind: f"{kind}({', '.join(shape)})" for kind, shape in shapes().items()}
    return "\n".join(f"- {heads[kind]}: {' '.join(meaning.split())}" for kind, meaning in meanings.items())


def flatten(goals: Sequence[Row]) -> tuple[list[Row], list[list[int]]]:
    """The statements of several goals, each statement once and after its parts; and each goal's own numbers.

    An `all` at the top of a goal is its list of numbers.
    """
    rows: list[Row] = []
    tops = [goal["parts"] if goal["kind"] == "all" and len(goal["parts"]) > 1 else [goal] for goal in goals]
    return rows, [[_add(part, rows) for part in parts] for parts in tops]


def _add(node: Row, rows: list[Row]) -> int:
    shape = shapes()[node["kind"]]
    row = {"kind": node["kind"]}
    for name, form in shape.items():
        row[name] = _linked(node[name], rows) if form.what == "link" else node[name]
    if row not in rows:
        rows.append(row)
    return rows.index(row)


def _linked(value: Any, rows: list[Row]) -> Any:
    return [_add(part, rows) for part in value] if isinstance(value, list) else _add(value, rows)


def unflatten(rows: Sequence[Any], goal: Any) -> Row:
    """The tree of the statements with the numbers `goal`, each once; ValueError names a statement that is not there.

    A field that is null is left out. Nothing is believed: a part must come before what it is a part of, so the tree ends,
    and it is counted before it is built, so it stays small.
    """
    if not isinstance(goal, list) or not goal:
        raise ValueError("a goal is a list of numbers of statements, at least one")
    sizes: list[int] = []
    for number, row in enumerate(rows):
        if not isinstance(row, dict) or row.get("kind") not in list(shapes()):  # a list: what cannot be hashed too
            raise ValueError(f"statements.{number}: its kind must be one of {list(shapes())}")
        sizes.append(1 + sum(_size(link, sizes, f"statements.{number}") for link in links(row)))
    if (nodes := sum(_size(link, sizes, "goal") for link in goal)) > MOST_NODES:
        raise ValueError(f"goal: written out it has {nodes} parts; at most {MOST_NODES}")
    parts = [_build(rows, link) for link in dict.fromkeys(goal)]
    return parts[0] if len(parts) == 1 else {"kind": "all", "parts": parts}


def links(row: Mapping[str, Any]) -> list[Any]:
    """What stands in the fields of a statement that point at others, whatever else it brings along."""
    fields = [row.get(name) for name, form in shapes()[row["kind"]].items() if form.what == "link"]
    return [link for field in fields for link in (field if isinstance(field, list) else [field])]


def _size(link: Any, sizes: Sequence[int], where: str) -> int:
    if type(link) is not int or not 0 <= link < len(sizes):
        raise ValueError(f"{where}: {str(link)[:40]} is no earlier statement; it may be 0 to {len(sizes) - 1}")
    return sizes[link]


def _build(rows: Sequence[Row], number: int) -> Row:
    row, shape = rows[number], shapes()[rows[number]["kind"]]
    node = {name: value for name, value in row.items() if value is not None}
    for name in (name for name, form in shape.items() if form.what == "link"):
        value = row[name]
        node[name] = [_build(rows, link) for link in value] if isinstance(value, list) else _build(rows, value)
    return node
