"""A task and its record in a library in; out: how often the oracle completes it, and how many episodes got past each stage."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sim_finetune.env import TaskEnv
from sim_finetune.expert import Expert
from sim_finetune.ladder import SOLVING


class Completion(NamedTuple):
    """share: of the episodes that were completed, in [0, 1]; stages: share that got past each; source: "record" of the
    ladder, or "played"; fault: why the oracle cannot even begin, or "".
    """

    share: float
    stages: list[float]
    seeds: int
    source: str
    fault: str


def completion(env: TaskEnv, record: Mapping[str, Any], seeds: Sequence[int]) -> Completion:
    """From the record when it is of this body, else by playing `seeds`.

    A record knows no stages: who completed a task took all of them, and the few who did not are played again.
    """
    found = record.get("facts", {}).get(SOLVING) if record.get("embodiment") == env.embodiment.name else None
    try:
        if found is None:
            return _summary([_play(env, seed) for seed in seeds], "played")
        missed = found["missed"] if env.task_spec.stages else []
        ways = [(False, _play(env, seed)[1]) for seed in missed]
        whole = (True, [True] * len(env.task_spec.stages))
        ways += [whole] * found["solved"] + [(False, [])] * (found["seeds"] - found["solved"] - len(ways))
        return _summary(ways, "record")
    except ValueError as error:  # no plan, no room: the task counts as never completed, and says why
        return Completion(0.0, [0.0] * len(env.task_spec.stages), len(seeds), "played", " ".join(str(error).split()))


def _summary(ways: Sequence[tuple[bool, list[bool]]], source: str) -> Completion:
    completed, stages = zip(*ways, strict=True)
    shares = np.mean(stages, axis=0).tolist() if all(stages) else []
    return Completion(float(np.mean(completed)), shares, len(ways), source, "")


def _play(env: TaskEnv, seed: int) -> tuple[bool, list[bool]]:
    """Whether the oracle, left undisturbed, completed the episode, and which stages it got past."""
    _, info = env.reset(seed=seed)
    expert, ended = Expert(env, noise=0.0, rng=np.random.default_rng([seed, 1])), False
    while not ended:
        _, _, terminated, truncated, info = env.step(expert.act())
        ended = terminated or truncated
    return bool(info["success"]), info["stages"].tolist()
