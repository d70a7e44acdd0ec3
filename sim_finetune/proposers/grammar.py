"""Scenarios, a catalogue and a seed in; JSON texts of new tasks out: kinds × goals × distractors × layouts × wordings."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sim_finetune.catalogue import Row, read_catalogue
from sim_finetune.proposers.casting import Cast, bind, cast, listed, say
from sim_finetune.values import resolve

FIELDS = {"weight", "roles", "goal", "says", "stages", "task", "others"}


class Grammar:
    """Draws `count` tasks from scenarios, no language model needed.

    scenarios: {name: {weight; roles, see `cast`; goal: statements that must all hold, see `bind`; says: templates;
    stages: [{goal, says}]; task: other fields; others: distractors at most}}, any of it as drawn values; distractors:
    {group, most, kept: how often the goal asks that they stay}; wordings: templates a task keeps at most.
    """

    def __init__(
        self, *, catalogue: Mapping[str, Any], scenarios: Mapping[str, Row], distractors: Mapping[str, Any], wordings: int,
        count: int, seed: int,
    ):  # fmt: skip
        self.catalogue, self.scenarios = read_catalogue(catalogue), dict(scenarios)
        for name, row in self.scenarios.items():
            if unknown := sorted(set(row) - FIELDS):
                raise ValueError(f"scenario {name!r} has {unknown}; it may have {sorted(FIELDS)}")
        self.distractors, self.wordings, self.count, self.seed = distractors, wordings, count, seed
        weights = np.array([row.get("weight", 1) for row in self.scenarios.values()], dtype=float)
        if not self.scenarios or weights.sum() <= 0:
            raise ValueError("a grammar needs a scenario with a weight above 0")
        self._shares = weights / weights.sum()

    def proposals(self) -> Iterator[str]:
        """`count` JSON texts; text i depends on the seed and i alone."""
        for i in range(self.count):
            yield json.dumps(self.draw(np.random.default_rng([self.seed, i])), sort_keys=True)

    def draw(self, rng: np.random.Generator) -> Row:
        """One task's document."""
        return self.task(str(rng.choice(list(self.scenarios), p=self._shares)), rng)

    def task(self, name: str, rng: np.random.Generator) -> Row:
        """A task of one scenario."""
        row = resolve({key: value for key, value in self.scenarios[name].items() if key != "weight"}, rng)
        number = int(rng.integers(0, row.get("others", self.distractors["most"]) + 1))
        others = {"other": {"group": self.distractors["group"], "count": number, "alike": False}} if number else {}
        roles = {role: row["roles"][role] for role in self.scenarios[name]["roles"]}  # in the order written
        players = cast(roles | others, self.catalogue, rng)
        keep = bool(number) and rng.random() < self.distractors["kept"]
        goal = bind(row["goal"], players.members) + ([_kept(players)] if keep else [])
        says = [str(text) for text in rng.permutation(row["says"])[: self.wordings]]
        words = [say(text, players.members) + (_and_leave(players) if keep else "") for text in says]
        kinds = "_".join(
            dict.fromkeys(thing["kind"] for thing in players.things if not thing["name"].startswith("other"))
        )
        document = {**self.catalogue.task, **row.get("task", {}), "name": f"{name}_{kinds}"[:64], "family": name}
        document |= {"objects": players.things, "goal": _all(goal), "instructions": words}
        stages = [
            {**self.catalogue.stage, "goal": _all(bind(stage["goal"], players.members)),
             "instruction": say(stage["says"], players.members)}
            for stage in row.get("stages", [])
        ]  # fmt: skip
        document |= {"stages": stages} if stages else {}
        return document | {"provenance": {"proposer": "grammar"}}


def _all(goal: list[Row]) -> Row:
    return goal[0] if len(goal) == 1 else {"kind": "all", "parts": goal}


def _kept(players: Cast) -> Row:
    return {"kind": "undisturbed", "objects": players.members["other"], "within_m": 0.04}


def _and_leave(players: Cast) -> str:
    return f", and leave the {listed(players.members['other'])} alone"
