"""How many proposals a core judges in a minute, and which rungs take the time: `bench_ladder.py [COUNT]`."""

import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
from hydra.utils import instantiate
from omegaconf import OmegaConf
from timing import markdown

from lapa.config import compose
from sim_finetune.episode import Studio
from sim_finetune.ladder import PASSED, RUNGS, climb

LADDERS = {"quick": 1.0, "publish": 0.5}  # share of COUNT that each judges: publish has five times the episodes
SHOWN = ("R4_settles", "R5_visible", "R6_not_solved", "R8_oracle", "R9_mutants", "R11_replay")


def timed(rung: Callable[..., Any], seconds: list[float]) -> Callable[..., Any]:
    """The rung, which notes its CPU time also when it refuses."""

    @wraps(rung)
    def climbed(*args: Any, **settings: Any) -> Any:
        start = time.process_time()
        try:
            return rung(*args, **settings)
        finally:
            seconds.append(time.process_time() - start)

    return climbed


def row(ladder: str, count: int) -> list[str]:
    """The grammar's first proposals, one after the other in this process."""
    cfg = compose("propose", ["out=unused", "proposer=grammar", f"count={count}", f"ladder={ladder}", "studio=long"])
    settings: Any = OmegaConf.to_container(cfg.ladder, resolve=True)
    studio, whole, seconds = Studio.of(cfg), dict(RUNGS), {name: list[float]() for name in RUNGS}
    RUNGS.update({name: timed(rung, seconds[name]) for name, rung in whole.items()})
    texts, taken, accepted = list(instantiate(cfg.proposer).proposals()), list[float](), 0
    for text in texts:
        start = time.process_time()
        accepted += climb(text, settings=settings, studio=studio, first_seed=cfg.seed_base).rung == PASSED
        taken.append(time.process_time() - start)
    RUNGS.update(whole)
    shares = [f"{sum(seconds[name]) / sum(taken):.0%}" for name in SHOWN]
    cells = [ladder, str(count), str(accepted), f"{np.median(taken):.1f}", f"{60 * count / sum(taken):.1f}"]
    return [*cells, f"{60 * accepted / sum(taken):.1f}", *shares]


def main(count: int) -> None:
    head = ["ladder", "proposals", "accepted", "median s", "judged a core-minute", "accepted a core-minute", *SHOWN]
    print("\nProposals of the grammar, panda, studio=long, CPU time; of each rung its share of that\n")
    row("quick", 1)  # compiles kinematics, loads libraries
    print(markdown(head, [row(name, max(round(share * count), 1)) for name, share in LADDERS.items()]))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 12)
