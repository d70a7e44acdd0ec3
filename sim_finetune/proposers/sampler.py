"""Template tasks and a seed in; JSON texts of new tasks out: other colours, sizes, numbers of distractors, wordings."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sim_finetune.objects import COLOURS
from sim_finetune.spec import read_spec

Task = dict[str, Any]


class Sampler:
    """Draws `count` variations of hand-written tasks.

    templates: {name: task}, checked here; weights: {name: relative frequency}; size_scale: (low, high) factor on the
    half extents of everything that can move; colours: those that things may have; distractors: (fewest, most) objects
    that the goal does not name; wordings: how many of a template's instructions a task keeps.
    """

    def __init__(
        self,
        *,
        templates: Mapping[str, Any],
        weights: Mapping[str, float],
        size_scale: tuple[float, float],
        colours: list[str],
        distractors: tuple[int, int],
        wordings: int,
        count: int,
        seed: int,
    ):
        unknown = sorted(set(weights) - set(templates))
        if unknown or not any(weights.values()):
            raise ValueError(
                f"weights for {list(weights)} must name templates, one above 0; there are {list(templates)}"
            )
        self.templates = {name: read_spec(task).model_dump(mode="json") for name, task in templates.items()}
        unknown = sorted(set(colours) - set(COLOURS))
        if unknown or not colours:
            raise ValueError(f"no colours {unknown}; there are {list(COLOURS)}")
        self.colours = list(colours)
        self.weights, self.size_scale, self.distractors = dict(weights), size_scale, distractors
        self.wordings, self.count, self.seed = wordings, count, seed

    def proposals(self) -> Iterator[str]:
        """`count` JSON texts; text i depends on the seed and i alone."""
        names = sorted(self.weights)
        shares = np.array([self.weights[name] for name in names], dtype=float)
        for i in range(self.count):
            rng = np.random.default_rng([self.seed, i])
            task = copy.deepcopy(self.templates[names[rng.choice(len(names), p=shares / shares.sum())]])
            yield json.dumps(self._vary(task, rng), sort_keys=True)

    def _vary(self, task: Task, rng: np.random.Generator) -> Task:
        task["objects"] = self._crowd(task, rng)
        scale = float(rng.uniform(self.size_scale[0], self.size_scale[1]))
        colours = rng.permutation(self.colours)  # all different, so that the words name one object
        for thing, colour in zip(task["objects"], colours, strict=False):
            thing["colour"] = str(colour)
            if thing["kind"] == "block":
                thing["half_extents_m"] = [round(half * scale, 4) for half in thing["half_extents_m"]]
        keep = rng.permutation(len(task["instructions"]))[: self.wordings]
        task["instructions"] = [task["instructions"][i] for i in sorted(keep)]
        task["name"] = f"{task['family']}_{task['objects'][0]['colour']}"
        return task

    def _crowd(self, task: Task, rng: np.random.Generator) -> list[Task]:
        """The goal's objects and a fresh number of distractors, copies of the template's own."""
        needed = {thing.name for thing in read_spec(task).goal_objects()}
        wanted = [thing for thing in task["objects"] if thing["name"] in needed]
        others = [thing for thing in task["objects"] if thing["name"] not in needed]
        room = len(self.colours) - len(wanted)
        number = min(int(rng.integers(self.distractors[0], self.distractors[1] + 1)), room) if others else 0
        return wanted + [{**others[i % len(others)], "name": f"other{i + 1}"} for i in range(number)]
