"""Template tasks, what is held out and a seed in; JSON texts of the benchmark's tasks out: the seen half, or the unseen."""

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sim_finetune.proposers.sampler import Sampler, Task
from sim_finetune.spec import read_spec

SEEN, UNSEEN = "seen", "unseen"
NOVELTIES = ("combinations", "objects", "words")  # what may be new in a task of the unseen half, one at a time
HALVES = (SEEN, UNSEEN, *NOVELTIES)
BLANK = "@"  # in an instruction: where the name of the variant stands


class Family(NamedTuple):
    """How a template varies. held_out: colours of its first object that only `combinations` shows; said, unsaid:
    instructions of the seen tasks and of `words`; variants: {name: changes of the goal's fields and of objects by name}.
    """

    held_out: list[str]
    said: list[str]
    unsaid: list[str]
    variants: dict[str, Task]


class Benchmark(Sampler):
    """Draws `count` tasks that share nothing held out with those of another half.

    groups: {name: {template: relative frequency}}, of which `group` is drawn from; families: a `Family` for each template
    of a group; half: "seen"; "combinations" of family and colour, "objects" or "words" that no seen task has; or
    "unseen", those three in turn; kinds: {"seen": {kind: its sizes}, "unseen": {…}} of everything that can be pushed.
    """

    def __init__(
        self,
        *,
        groups: Mapping[str, Mapping[str, float]],
        group: str,
        families: Mapping[str, Mapping[str, Any]],
        half: str,
        kinds: Mapping[str, Mapping[str, Task]],
        **sampler: Any,
    ):
        if half not in HALVES or group not in groups:
            raise ValueError(f"no half {half!r} of group {group!r}; there are {list(HALVES)} of {list(groups)}")
        if bare := sorted({name for weights in groups.values() for name in weights} - set(families)):
            raise ValueError(f"groups name {bare}, which are no families; there are {list(families)}")
        self.families = {name: Family(**family) for name, family in families.items()}
        self.half, self.kinds = half, kinds
        weights = groups[group]
        if half == "objects":
            weights = {name: weight for name, weight in weights.items() if self._movable(sampler["templates"][name])}
        super().__init__(weights=weights, **sampler)
        self._names = {spec["family"]: name for name, spec in self.templates.items()}

    def _movable(self, template: Mapping[str, Any]) -> bool:
        """Whether the first object that the goal names can be of another kind."""
        return read_spec(template).goal_objects()[0].kind in self.kinds[SEEN]

    def _vary(self, task: Task, rng: np.random.Generator) -> Task:
        family = self.families[self._names[task["family"]]]
        new = self.half
        if new == UNSEEN:
            new = str(
                rng.choice(NOVELTIES if self._movable(task) else [each for each in NOVELTIES if each != "objects"])
            )
        variant = str(rng.choice(list(family.variants))) if family.variants else ""
        task = _changed(task, family.variants.get(variant, {}))
        task["objects"] = self._crowd(task, rng)
        self._furnish(task, self.kinds[UNSEEN if new == "objects" else SEEN], rng)
        self._paint(task, family, new == "combinations", rng)
        said = family.unsaid if new == "words" else family.said
        task["instructions"] = [text.replace(BLANK, variant) for text in said[: self.wordings]]
        colour = _first(task)["colour"]
        task["name"] = "_".join(word for word in (new, task["family"], variant.replace(" ", "_"), colour) if word)
        return task

    def _furnish(self, task: Task, kinds: Mapping[str, Task], rng: np.random.Generator) -> None:
        """Another kind and size for everything that can be pushed."""
        scale = float(rng.uniform(self.size_scale[0], self.size_scale[1]))
        for number, thing in enumerate(task["objects"]):
            if thing["kind"] in self.kinds[SEEN]:
                kind = str(rng.choice(list(kinds)))
                sizes = {field: [round(float(size) * scale, 4) for size in kinds[kind][field]] for field in kinds[kind]}
                kept = {key: value for key, value in thing.items() if key not in ("half_extents_m", "size_m")}
                task["objects"][number] = {**kept, "kind": kind, **sizes}

    def _paint(self, task: Task, family: Family, combined: bool, rng: np.random.Generator) -> None:
        """All colours different, so that the words name one object; that of the first decides which half it is of."""
        allowed = [colour for colour in self.colours if (colour in family.held_out) == combined]
        first = _first(task)
        first["colour"] = str(rng.choice(allowed))
        rest = rng.permutation([colour for colour in self.colours if colour != first["colour"]])
        others = [thing for thing in task["objects"] if thing is not first]
        for thing, colour in zip(others, rest, strict=False):
            thing["colour"] = str(colour)


def _first(task: Task) -> Task:
    """The object that the goal names first."""
    name = read_spec(task).goal_objects()[0].name
    return next(thing for thing in task["objects"] if thing["name"] == name)


def _changed(task: Task, variant: Mapping[str, Any]) -> Task:
    """The task with a variant's fields in its goal and in its objects."""
    task, things = copy.deepcopy(task), variant.get("objects", {})
    task["goal"] |= variant.get("goal", {})
    task["objects"] = [thing | dict(things.get(thing["name"], {})) for thing in task["objects"]]
    return task
