"""A seed in; texts out that a careless or hostile proposer might say, each with the rung that has to refuse it, if known."""

import copy
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from simulation import TASKS, task

NAMES = [
    "../../etc/passwd",
    "C:\\x",
    "名前",
    "a\u0000b",
    "\x1b[31m",
    "__class__",
    "{}",
    "x" * 3000,
    "",
    "target ",
    "№",
    "os.system",
]
NUMBERS = [-1, 0, 1e-300, 1e308, 10**30, 2**63, -0.0, 0.1 + 1e-17, 1e12]
Path = tuple[Any, ...]
Document = dict[str, Any]


class Said(NamedTuple):
    """A text, the rungs of which one must refuse it (empty: whatever the ladder finds), and the path it must name."""

    text: str
    rungs: tuple[str, ...] = ()
    path: str = ""


def paths(node: Any, path: Path = ()) -> list[Path]:
    """Ways to every value in a document, itself left out."""
    children = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    return [found for key, value in children for found in [(*path, key), *paths(value, (*path, key))]]


def at(node: Any, path: Path) -> Any:
    for key in path:
        node = node[key]
    return node


def random_value(rng: np.random.Generator, depth: int = 3) -> Any:
    """Any JSON value, nested no deeper than `depth`."""
    kind = int(rng.integers(8 if depth else 6))
    if kind > 5:
        values = [random_value(rng, depth - 1) for _ in range(rng.integers(4))]
        return values if kind == 6 else {_pick(rng, [*NAMES, "kind", "name", "goal"]): value for value in values}
    return [None, True, _pick(rng, NUMBERS), float(rng.normal()), _pick(rng, NAMES), "block"][kind]


def _pick(rng: np.random.Generator, values: list[Any]) -> Any:
    return values[int(rng.integers(len(values)))]


def valid(rng: np.random.Generator) -> Document:
    """A hand-written task."""
    return task(_pick(rng, TASKS)).model_dump(mode="json", exclude_defaults=True)


def noise(rng: np.random.Generator) -> Said:
    return Said(json.dumps(random_value(rng, 5)), ("R0_text", "R1_schema"))


def broken_text(rng: np.random.Generator) -> Said:
    """A task's text cut off, with a letter changed, or with prose about it."""
    text = json.dumps(valid(rng))
    cut = int(rng.integers(1, len(text) - 1))
    ways = [
        text[:cut],
        f"Sure! Here is the task:\n```json\n{text}\n```",
        text + text,
        "\ufeff" + text,
        "",
        "[" * 5000,
        "\ud800" + text,
    ]
    return Said(_pick(rng, ways), ("R0_text",))


def no_number(rng: np.random.Generator) -> Said:
    """A number that JSON has no word for, or that no task needs."""
    document = valid(rng)
    document["hold_s"] = "HERE"
    word = _pick(rng, ["NaN", "Infinity", "-Infinity", "1e999", "9" * 400, "1e30"])
    return Said(json.dumps(document).replace('"HERE"', word), ("R0_text",), "hold_s")


def twice(rng: np.random.Generator) -> Said:
    text = json.dumps(valid(rng)["objects"][0])
    doubled = text[:-1] + ', "name": "again"}'
    return Said(f'{{"objects": [{doubled}]}}', ("R0_text",), "objects.0")


def deep(rng: np.random.Generator) -> Said:
    document, part = valid(rng), {"kind": "not"}
    goal = document["goal"]
    for _ in range(int(rng.integers(40, 60))):
        goal = {**part, "part": goal}
    return Said(json.dumps({**document, "goal": goal}), ("R0_text",))


def unknown_field(rng: np.random.Generator) -> Said:
    document = valid(rng)
    homes = [(), *(path for path in paths(document) if isinstance(at(document, path), dict))]
    home = _pick(rng, [path for path in homes if not path or path[0] == "objects"])
    at(document, home)["script"] = "import os"
    return Said(json.dumps(document), ("R1_schema",), "script")


def missing_field(rng: np.random.Generator) -> Said:
    document = valid(rng)
    field = _pick(rng, ["version", "name", "family", "objects", "goal", "hold_s", "instructions", "clearance_m"])
    del document[field]
    return Said(json.dumps(document), ("R1_schema",), field)


def huge_counts(rng: np.random.Generator) -> Said:
    document = valid(rng)
    field = _pick(rng, ["objects", "instructions"])
    document[field] = document[field] * 40
    return Said(json.dumps(document), ("R0_text", "R1_schema"))


def bad_name(rng: np.random.Generator) -> Said:
    document = valid(rng)
    document["objects"][0]["name"] = _pick(rng, [name for name in NAMES if not name.startswith("__")])
    return Said(json.dumps(document), ("R1_schema",), "objects.0")


def stranger(rng: np.random.Generator) -> Said:
    """A goal about something that is not there."""
    document = valid(rng)
    goal = document["goal"]["parts"][0] if document["goal"]["kind"] == "all" else document["goal"]
    fields = [
        field
        for field, value in goal.items()
        if isinstance(value, str) and field not in ("kind", "axis", "by", "layout", "site")
    ]
    if not fields:
        return Said(
            json.dumps({**document, "goal": {"kind": "upright", "object": "teapot", "within_rad": 1}}),
            ("R2_names",),
            "goal.object",
        )
    goal[fields[0]] = "teapot"
    return Said(json.dumps(document), ("R2_names",), f".{fields[0]}: no object 'teapot'")


def bad_template(rng: np.random.Generator) -> Said:
    document = valid(rng)
    field = _pick(rng, ["{target.__class__}", "{0}", "{", "{teapot}", "{x:>999999999}", "{x!r}", "say nothing"])
    document["instructions"] = [field]
    return Said(json.dumps(document), ("R2_names",))


def mutated(rng: np.random.Generator) -> Said:
    """One to three random changes anywhere: what comes of it, the ladder has to find out."""
    document = valid(rng)
    for _ in range(int(rng.integers(1, 4))):
        path = _pick(rng, paths(document) or [()])
        if path:
            home, key = at(document, path[:-1]), path[-1]
            other = copy.deepcopy(at(document, _pick(rng, paths(document))))
            home[key] = _pick(rng, [random_value(rng), other, scaled(home[key], rng)])
    return Said(json.dumps(document))


def scaled(value: Any, rng: np.random.Generator) -> Any:
    """A number made larger or smaller; anything else as it is."""
    return value * float(10 ** rng.uniform(-3, 3)) if isinstance(value, float) else value


WAYS: list[Callable[[np.random.Generator], Said]] = [
    noise, broken_text, no_number, twice, deep, unknown_field, missing_field, huge_counts, bad_name, stranger, bad_template,
    mutated, mutated, mutated,
]  # fmt: skip


def said(number: int) -> Said:
    """Text `number` of an endless series, the same each time."""
    return WAYS[number % len(WAYS)](np.random.default_rng([4, number]))
