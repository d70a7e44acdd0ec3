"""Documents of tasks in, documents of slightly other tasks out: colour, kind, size, numbers, bystanders; or two in one."""

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sim_finetune.catalogue import Catalogue, Row
from sim_finetune.goals import renamed
from sim_finetune.objects import COLOURS
from sim_finetune.statements import shapes
from sim_finetune.wire import choices

MOST_OBJECTS = 8
# What only the hand keeps up: it may be a step on the way, not what still holds after another task.
PASSING = ("grasped", "height_above", "tool_near", "pressed", "in_contact", "hold_for")

Mutation = Callable[[Row, Catalogue, np.random.Generator], Row]


def recolour(task: Row, catalogue: Catalogue, rng: np.random.Generator) -> Row:
    """Other colours; things of one colour stay of one colour."""
    colours = dict(zip(COLOURS, rng.permutation(list(COLOURS)), strict=True))
    return task | {"objects": [thing | {"colour": str(colours[thing["colour"]])} for thing in task["objects"]]}


def resize(task: Row, catalogue: Catalogue, rng: np.random.Generator) -> Row:
    """One object, of a kind that the catalogue has, at another of its sizes."""
    return _furnished(task, catalogue, rng, lambda kind: kind)


def exchange(task: Row, catalogue: Catalogue, rng: np.random.Generator) -> Row:
    """One object becomes another kind that is good for the same; the words call it by its name, so they still fit."""

    def kin(kind: str) -> str:
        groups = catalogue.kinds[kind]["groups"]
        return str(rng.choice(catalogue.group(str(rng.choice(groups)))))

    return _furnished(task, catalogue, rng, kin)


def _furnished(task: Row, catalogue: Catalogue, rng: np.random.Generator, kind_of: Callable[[str], str]) -> Row:
    """A random object made anew; what its kind does not have by itself (slots, where it stands) is kept if it can be."""
    known = [i for i, thing in enumerate(task["objects"]) if thing["kind"] in catalogue.kinds]
    if not known:
        return task
    number = int(rng.choice(known))
    old, size = task["objects"][number], str(rng.choice(list(catalogue.sizes)))
    thing = catalogue.thing(old["name"], kind_of(old["kind"]), colour=old["colour"], size=size, area="")
    kept = {field: old[field] for field in ("place", "start_fraction") if field in old}
    objects = [thing | kept if i == number else other for i, other in enumerate(task["objects"])]
    return task | {"objects": objects}


def retune(task: Row, catalogue: Catalogue, rng: np.random.Generator) -> Row:
    """Every tolerance and fraction of the goal, but of what is not to be, moved to one of the catalogue's, each with one
    chance in two.
    """

    def tuned(node: Any) -> Any:
        if isinstance(node, list):
            return [tuned(part) for part in node]
        if not isinstance(node, dict) or node["kind"] == "not":  # under which a smaller tolerance asks for less
            return node
        return {field: _tuned(node, field, catalogue, rng, tuned(value)) for field, value in node.items()}

    return task | {"goal": tuned(task["goal"])}


def _tuned(node: Row, field: str, catalogue: Catalogue, rng: np.random.Generator, value: Any) -> Any:
    form = shapes()[node["kind"]].get(field)
    if field == "within_m" and str(node.get("site")).startswith("slot"):  # whose depth says what is not in it
        return value
    if form is None or form.what != "choice" or form.values or not isinstance(value, float) or rng.random() < 0.5:
        return value
    return float(rng.choice([one for one in choices(node["kind"], field, form, catalogue) if one is not None]))


def crowd(task: Row, catalogue: Catalogue, rng: np.random.Generator) -> Row:
    """One more thing that has nothing to do with the task, of any kind that is small enough to carry."""
    free = [colour for colour in COLOURS if colour not in {thing["colour"] for thing in task["objects"]}]
    names = {thing["name"] for thing in task["objects"]}
    if len(names) >= MOST_OBJECTS or not free:
        return task
    name = next(name for name in (f"other{i}" for i in range(1, 99)) if name not in names)
    kind, colour, size = rng.choice(catalogue.group("loose")), rng.choice(free), rng.choice(list(catalogue.sizes))
    other = catalogue.thing(name, str(kind), colour=str(colour), size=str(size), area="")
    return task | {"objects": [*task["objects"], other]}


def clear(task: Row, catalogue: Catalogue, rng: np.random.Generator) -> Row:
    """Without anything that nothing in the task speaks of."""
    spoken = str([task["goal"], task["instructions"], task.get("stages"), task.get("layouts")])
    spoken += str([thing.get("place") for thing in task["objects"]])
    kept = [thing for thing in task["objects"] if re.search(rf"\b{thing['name']}\b", spoken)]
    return task | {"objects": kept or task["objects"]}


MUTATIONS: dict[str, Mutation] = {
    "recolour": recolour,
    "resize": resize,
    "exchange": exchange,
    "retune": retune,
    "crowd": crowd,
    "clear": clear,
}


def joined(first: Row, second: Row, catalogue: Catalogue) -> Row:
    """Both tasks in one scene, the first as a stage before the second; the first alone when there is no room for both.

    At the end the second's goal holds, and what of the first's does not need the hand.
    """
    if len(first["objects"]) + len(second["objects"]) > MOST_OBJECTS:
        return first
    other = _called(copy.deepcopy(second), {thing["name"]: f"b_{thing['name']}"[:32] for thing in second["objects"]})
    taken = {thing["colour"] for thing in first["objects"]}
    free = [colour for colour in COLOURS if colour not in taken | {thing["colour"] for thing in other["objects"]}]
    colours = {colour: free.pop() if colour in taken else colour for colour in (t["colour"] for t in other["objects"])}
    things = [thing | {"colour": colours[thing["colour"]]} for thing in other["objects"]]
    stays = [part for part in _parts(first["goal"]) if part["kind"] not in PASSING]
    step = {**catalogue.stage, "goal": first["goal"], "instruction": first["instructions"][0]}
    task = {**first, "name": f"{first['name']}_{other['name']}"[:64], "family": "chain"}
    task |= {"objects": [*first["objects"], *things], "goal": _all([*_parts(other["goal"]), *stays])}
    task |= {"stages": [*first.get("stages", []), step, *other.get("stages", [])]}
    task |= {"layouts": [*first.get("layouts", []), *other.get("layouts", [])]}
    pairs = zip(first["instructions"], other["instructions"], strict=False)
    return task | {"instructions": [f"{one}, then {two}" for one, two in pairs]}


def _called(task: Row, names: Mapping[str, str]) -> Row:
    """The task with its objects renamed, in statements and words."""

    def told(text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda found: f"{{{names[found[1]]}}}", text)

    task = task | {
        key: renamed(task[key], dict(names)) for key in ("objects", "goal", "stages", "layouts") if key in task
    }
    stages = [stage | {"instruction": told(stage["instruction"])} for stage in task.get("stages", [])]
    return task | {"instructions": [told(text) for text in task["instructions"]], "stages": stages}


def _parts(goal: Row) -> list[Row]:
    return list(goal["parts"]) if goal["kind"] == "all" else [goal]


def _all(parts: list[Row]) -> Row:
    return parts[0] if len(parts) == 1 else {"kind": "all", "parts": parts}
