"""Which body does which task by the scripted expert, as a Markdown table.

    python benchmarks/robots_by_tasks.py [seeds=3] [steps=300] [workers=2] [library=seeds] [out=runs/robots_by_tasks] [TASK …]

Finished pairs lie in `out`, and the same command goes on where it was stopped; give another folder after a change of
the expert, or for other steps.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

from timing import markdown

from lapa.executor import run_all
from lapa.files import write_json
from sim_finetune.embodiment import embodiment_names, load_embodiment
from sim_finetune.episode import Studio, make_env, play
from sim_finetune.library import load_library
from sim_finetune.rungs_proof import UNDISTURBED
from sim_finetune.spec import TaskSpec

FIRST_SEED = 5_000_000  # no seed of a video, a demonstration or a test
DEFAULTS = {"seeds": "3", "steps": "300", "workers": "2", "library": "seeds", "out": "runs/robots_by_tasks"}


class Pair(NamedTuple):
    """A task for a body; `path` gets the solved seeds, whole or not at all."""

    spec: TaskSpec
    body: str
    path: Path


def solved(pair: Pair, *, seeds: int, steps: int) -> int:
    """Seeds of so many that the undisturbed expert solves in at most so many steps; what was played before is not again."""
    done = json.loads(pair.path.read_text()) if pair.path.exists() else {}
    env = None
    for seed in (str(FIRST_SEED + number) for number in range(seeds)):
        if seed not in done:
            env = env or make_env(pair.spec, Studio(load_embodiment(pair.body), 64, 10, ("front",), steps))
            done[seed] = play(env, UNDISTURBED, seed=int(seed)).solved
            write_json(pair.path, done)
    return sum(done[str(FIRST_SEED + number)] for number in range(seeds))


def main(words: list[str]) -> None:
    given = DEFAULTS | dict(word.split("=", 1) for word in words if "=" in word)
    names, bodies, seeds = [word for word in words if "=" not in word], embodiment_names(), int(given["seeds"])
    specs = [spec for spec in load_library(given["library"]) if not names or spec.name in names]
    pairs = [
        Pair(spec, body, Path(given["out"]) / f"{spec.name}-{spec.hash}-{body}.json")
        for spec in specs
        for body in bodies
    ]
    play_pair = partial(solved, seeds=seeds, steps=int(given["steps"]))
    counts = list(run_all(play_pair, pairs, num_workers=int(given["workers"]), label="tasks × bodies"))
    rows = [counts[start : start + len(bodies)] for start in range(0, len(counts), len(bodies))]
    whole = [f"{sum(count == seeds for count in column)} of {len(specs)}" for column in zip(*rows, strict=True)]
    table = [[spec.name, *map(str, row)] for spec, row in zip(specs, rows, strict=True)]
    print(markdown([f"solved of {seeds}", *bodies], [*table, ["on every seed", *whole]]))


if __name__ == "__main__":
    main(sys.argv[1:])
