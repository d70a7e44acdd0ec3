"""Roles of a scenario and a generator in; objects that play them out, and its statements and words with their names."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sim_finetune.catalogue import Catalogue, Row
from sim_finetune.objects import COLOURS

PLACES = {"on": "support", "inside": "container"}
ROLE_FIELDS = {"group", "count", "alike", "factors", "colours_of", "area", "place", "fields"}


class Cast(NamedTuple):
    """things: objects of a task spec; members: {role: names of the objects that play it}."""

    things: list[Row]
    members: dict[str, list[str]]


def cast(roles: Mapping[str, Any], catalogue: Catalogue, rng: np.random.Generator) -> Cast:
    """Objects for all roles, no two of the same colour unless they shall match.

    A role is a group of the catalogue, or a row: group; count (a number, or another role that has as many); alike (all of
    one kind, which is the default); factors (on the sizes of the first, the second, …, instead of one size for all);
    colours_of (the role whose colours they take); area (or a list, one for each); place ([on or inside, a role]); fields
    (instead of the catalogue's). ValueError for others.
    """
    free = [str(colour) for colour in rng.permutation(list(COLOURS))]
    made, members = dict[str, Row](), dict[str, list[str]]()
    for role, wanted in roles.items():
        row = {"group": wanted} if isinstance(wanted, str) else wanted
        if unknown := sorted(set(row) - ROLE_FIELDS):
            raise ValueError(f"role {role!r} has {unknown}; it may have {sorted(ROLE_FIELDS)}")
        count = row.get("count", 1)
        number = len(members[count]) if isinstance(count, str) else int(count)
        names = [role] if number == 1 and "count" not in row else [f"{role}{i + 1}" for i in range(number)]
        like = row.get("colours_of")
        colours = [made[name]["colour"] for name in members[like]] if like else [free.pop() for _ in names]
        made |= {thing["name"]: thing for thing in _players(names, colours, row, catalogue, rng)}
        members[role] = names
    for role, row in roles.items():
        _put_by(members[role], row, members, made)
    return Cast(list(made.values()), members)


def _players(
    names: Sequence[str], colours: Sequence[str], row: Mapping[str, Any], catalogue: Catalogue, rng: np.random.Generator
) -> list[Row]:
    group, size = catalogue.group(row["group"]), float(rng.choice(list(catalogue.sizes.values())))
    kind, factors = str(rng.choice(group)), row.get("factors", [size] * len(names))
    area = row.get("area", "")
    areas = area if isinstance(area, list) else [area] * len(names)
    things = []
    for name, colour, factor, where in zip(names, colours, factors[: len(names)], areas, strict=True):
        kind = kind if row.get("alike", True) else str(rng.choice(group))
        thing = catalogue.furnish(name, kind, colour=colour, factor=factor, area=where)
        things.append(thing | row.get("fields", {}))
    return things


def _put_by(names: list[str], row: Any, members: Mapping[str, list[str]], made: dict[str, Row]) -> None:
    """Start on or in another role's object."""
    if isinstance(row, str) or "place" not in row:
        return
    relation, other = row["place"]
    extra = {"within_m": 0.01} if relation == "on" else {}
    for name in names:
        made[name]["place"] = {"kind": relation, PLACES[relation]: members[other][0], **extra}


def bind(node: Any, members: Mapping[str, list[str]]) -> Any:
    """A scenario's statements with names for roles.

    In a list, a role of several stands for all its names, and {each: [roles], part: …} for a part of each of them in
    turn, in which the roles are single names.
    """
    if isinstance(node, dict):
        return {key: bind(value, members) for key, value in node.items()}
    if isinstance(node, list):
        return [bound for part in node for bound in _spread(part, members)]
    return members[node][0] if isinstance(node, str) and node in members else node


def _spread(part: Any, members: Mapping[str, list[str]]) -> list[Any]:
    if isinstance(part, dict) and "each" in part:
        turns = zip(*(members[role] for role in part["each"]), strict=True)
        return [bind(part["part"], {**members, **_single(part["each"], names)}) for names in turns]
    if isinstance(part, str) and part in members:
        return list(members[part])
    return [bind(part, members)]


def _single(roles: Sequence[str], names: Sequence[str]) -> dict[str, list[str]]:
    return {role: [name] for role, name in zip(roles, names, strict=True)}


def say(template: str, members: Mapping[str, list[str]]) -> str:
    """The template with each {role} as slots of its members: "{items}" → "{items1}, the {items2} and the {items3}"."""
    return re.sub(r"\{(\w+)\}", lambda found: listed(members.get(found[1], [found[1]])), template)


def listed(names: Sequence[str]) -> str:
    """Slots in a sentence whose article stands before them already."""
    slots = [f"{{{name}}}" for name in names]
    return slots[0] if len(slots) == 1 else ", the ".join(slots[:-1]) + " and the " + slots[-1]
