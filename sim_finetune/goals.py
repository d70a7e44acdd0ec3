"""A task's goal in; out: which predicates it stands on now, what each moves, and which mutants each must notice."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sim_finetune.predicates import SceneView

SHIFTED, EXCHANGED, TURNED, UNDONE, HELD = MUTANTS = ("shifted", "exchanged", "turned", "undone", "held")


class Rule(NamedTuple):
    """What a kind of predicate must notice. moved: the field that names what the task moves; None: the body alone."""

    moved: str | None
    notices: tuple[str, ...]


# Every kind of simple predicate stands here: one that does not is refused, because nothing would test it.
RULES = {
    "tool_near": Rule(None, (SHIFTED, EXCHANGED, UNDONE)),
    "grasped": Rule(None, (UNDONE,)),
    "released": Rule("object", (HELD,)),
    "in_contact": Rule("object", (UNDONE,)),
    "in_zone": Rule("object", (SHIFTED, EXCHANGED, UNDONE, HELD)),
    "on_top": Rule("object", (SHIFTED, EXCHANGED, UNDONE, HELD)),
    "inside": Rule("object", (SHIFTED, EXCHANGED, UNDONE, HELD)),
    "pose_near": Rule("object", (SHIFTED, EXCHANGED, TURNED, UNDONE, HELD)),
    "aligned_with": Rule("object", (TURNED, UNDONE)),
    "layout_matches": Rule("objects", (SHIFTED, UNDONE, HELD)),
    "sorted_by": Rule("objects", (EXCHANGED, UNDONE)),
    "assigned": Rule("pairs", (SHIFTED, EXCHANGED, UNDONE, HELD)),
    "joint_fraction": Rule("object", (EXCHANGED, UNDONE)),
    "pressed": Rule("object", (EXCHANGED, UNDONE)),
    "toggled": Rule("object", (EXCHANGED, UNDONE)),
    "upright": Rule("object", (UNDONE,)),
    "height_above": Rule("object", (UNDONE,)),
    "rope_between": Rule("rope", (UNDONE,)),
    "swept": Rule("pile", (UNDONE,)),
    "undisturbed": Rule("objects", (SHIFTED,)),
    "near": Rule("object", (SHIFTED, EXCHANGED, UNDONE, HELD)),
    "apart": Rule("object", (SHIFTED, UNDONE, HELD)),  # whoever changes places with it may be as far away
    "beside": Rule("object", (SHIFTED, EXCHANGED, UNDONE, HELD)),
    "in_region": Rule("object", (SHIFTED, UNDONE, HELD)),  # others may be there too
}
OPPOSITE = Rule("part", (UNDONE,))  # of `not` a simple predicate: what was so at the start must not be so again
UNORDERED = ("layout_matches", "undisturbed")  # their lists may be permuted without saying something else


def instant(goal: Any) -> Any:
    """The goal without any time that it has to hold: what is asked of a single moment."""
    if goal.kind == "hold_for":
        return instant(goal.part)
    if goal.kind == "not":
        return goal.model_copy(update={"part": instant(goal.part)})
    return goal.model_copy(update={"parts": tuple(map(instant, goal.parts))}) if goal.inner() else goal


def needed(goal: Any, view: SceneView) -> Iterator[Any]:
    """The simple predicates, and opposites of such, without which an instant goal would not hold now: in a conjunction,
    all of them.
    """
    if hasattr(goal, "parts"):
        least = {"all": len(goal.parts), "any": 1}.get(goal.kind) or goal.count
        holding = [part for part in goal.parts if part.holds(view)]
        for part in holding if len(holding) == least else ():
            yield from needed(part, view)
    elif goal.kind in RULES or (goal.kind == "not" and goal.part.kind in RULES):
        yield goal
    elif goal.kind != "not":  # what a `not` of several names cannot be spoilt by rule
        raise ValueError(f"no rule how to test a goal of kind {goal.kind!r}; there are rules for {list(RULES)}")


def rule(leaf: Any) -> Rule:
    """What a simple predicate, or the opposite of one, must notice."""
    return OPPOSITE if leaf.kind == "not" else RULES[leaf.kind]


def moved(leaf: Any) -> list[str]:
    """Names of what a task with this goal moves."""
    if leaf.kind == "not":  # a bowl from which something was taken may have been pushed along
        return [name for name, _ in leaf.names()]
    field = RULES[leaf.kind].moved
    if field is None:
        return []
    value = getattr(leaf, field)
    return [name for name, _ in value] if field == "pairs" else [value] if isinstance(value, str) else list(value)


def places(leaf: Any) -> list[str]:
    """Names of what must be where it is: what was moved, or what the tool went to."""
    return moved(leaf) or [leaf.object]


def interchangeable(goal: Any, leaves: list[Any], one: str, other: str) -> bool:
    """Whether the goal says the same with two names exchanged, or ties the two together: then nothing need change."""
    if any(_tied(leaf, one, other) for leaf in leaves):
        return True
    said = goal.model_dump(mode="json")
    return _canonical(said) == _canonical(renamed(said, {one: other, other: one}))


def _tied(leaf: Any, one: str, other: str) -> bool:
    """Whether the predicate is about the two together, and does not say which is which."""
    both = {one, other} <= {name for name, _ in leaf.names()}
    told_apart = leaf.kind == "not" or EXCHANGED in rule(leaf).notices
    return both and (leaf.kind in ("pose_near", "near") or not told_apart)


def renamed(node: Any, names: Mapping[str, str]) -> Any:
    """A JSON tree in which every text that is a key of `names` stands as its value; kinds stay."""
    if isinstance(node, dict):
        return {key: value if key == "kind" else renamed(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [renamed(value, names) for value in node]
    return names.get(node, node) if isinstance(node, str) else node


def _canonical(node: Any) -> str:
    """JSON text of a goal with the lists whose order says nothing in one order."""
    if isinstance(node, dict):
        loose = ("parts", "pairs", "objects") if node.get("kind") in UNORDERED else ("parts", "pairs")
        texts = {key: sorted(map(_canonical, value)) if key in loose else value for key, value in node.items()}
        return json.dumps({key: _canonical(value) for key, value in texts.items()}, sort_keys=True)
    return json.dumps(node, sort_keys=True)
