"""Accepted tasks and a seed in; JSON texts of their children out: mutated, or two tasks made one, done in turn."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sim_finetune.catalogue import Row, read_catalogue
from sim_finetune.ladder import PASSED, Verdict
from sim_finetune.library import load_library
from sim_finetune.proposers.mutations import MUTATIONS, clear, joined
from sim_finetune.spec import TaskSpec, read_spec

NOT_INHERITED = ("provenance", "oracle", "rewards", "missing_primitives")


class Evolver:
    """Draws `count` children of a library's tasks and of those accepted since.

    library: folder of tasks; mutations: {name in MUTATIONS: relative frequency}; most: mutations of a child; crossover:
    share of children with two parents.
    """

    def __init__(
        self, *, catalogue: Mapping[str, Any], library: str, mutations: Mapping[str, float], most: int, crossover: float,
        count: int, seed: int,
    ):  # fmt: skip
        if unknown := sorted(set(mutations) - set(MUTATIONS)):
            raise ValueError(f"no mutations {unknown}; there are {list(MUTATIONS)}")
        self.catalogue, self.pool = read_catalogue(catalogue), load_library(Path(library))
        self.mutations, self.most, self.crossover = dict(mutations), most, crossover
        self.count, self.seed = count, seed

    def proposals(self) -> Iterator[str]:
        """`count` JSON texts; text i depends on the seed, i and the pool at that moment."""
        for i in range(self.count):
            yield json.dumps(self.child(np.random.default_rng([self.seed, i])), sort_keys=True)

    def learn(self, verdict: Verdict) -> None:
        """An accepted child joins the pool."""
        if verdict.rung == PASSED:
            self.pool.append(read_spec(verdict.spec))

    def child(self, rng: np.random.Generator) -> Row:
        """One task's document."""
        parents = [self._parent(rng)]
        task = document(parents[0])
        if rng.random() < self.crossover:
            parents.append(self._parent(rng))
            one, other = (clear(each, self.catalogue, rng) for each in (task, document(parents[1])))  # makes room
            task = joined(one, other, self.catalogue)
        names = sorted(self.mutations)
        shares = np.array([self.mutations[name] for name in names], dtype=float)
        for name in rng.choice(names, size=int(rng.integers(1, self.most + 1)), p=shares / shares.sum()):
            task = MUTATIONS[str(name)](task, self.catalogue, rng)
        return task | {"provenance": {"proposer": "evolve", "parents": [parent.hash for parent in parents]}}

    def _parent(self, rng: np.random.Generator) -> TaskSpec:
        return self.pool[int(rng.integers(len(self.pool)))]


def document(spec: TaskSpec) -> Row:
    """What a child may inherit."""
    whole = spec.model_dump(mode="json", exclude_defaults=True)
    return {key: value for key, value in whole.items() if key not in NOT_INHERITED}
