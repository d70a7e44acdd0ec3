"""Environments and a player in, how their episodes went out; all ask together, so one forward pass serves them."""

import hashlib
import math
import time
from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

import numpy as np

from lapa.records import ActionChunk
from sim_finetune.env import TaskEnv
from sim_finetune.players import Player

Row = dict[str, Any]


class Played(NamedTuple):
    """How an episode went; before its first step and after each: its physics, to draw from, and progress in [0, 1].

    latency_ms: mean time that a decision took (see `play_together`); no part of the row, because it is never the same.
    """

    row: Row
    physics: list[np.ndarray]
    progress: list[float]
    latency_ms: float


def state_hash(env: TaskEnv) -> str:
    """Of all that physics depends on: equal in two arms when their episodes started equally."""
    return hashlib.sha256(env.get_physics().tobytes()).hexdigest()[:16]


def play_through(env: TaskEnv, *, seed: int, execute_steps: int) -> Generator[TaskEnv, ActionChunk, Played]:
    """One episode: yields the environment whenever it needs actions, is sent a chunk, returns how it went."""
    _, info = env.reset(seed=seed)
    start, holds, physics = state_hash(env), [bool(info["goal_holds"])], [env.get_physics()]
    progress, ended, held = [info["progress"]], False, False
    while not ended:
        chunk = yield env
        for action in chunk.actions[:execute_steps].numpy():
            _, _, terminated, truncated, info = env.step(action)
            holds.append(bool(info["goal_holds"]))
            held = held or bool(info["success"])
            physics.append(env.get_physics())
            progress.append(info["progress"])
            ended = terminated or truncated
            if ended:
                break
    row = {"seed": seed, "state_hash": start, "steps": len(holds) - 1, "text": env.task_description}
    row |= {"success_once": any(holds), "success_at_end": holds[-1], "success_held": held}
    row |= {"stages_done": int(info["stages"].sum()), "stages": len(info["stages"])}
    return Played(row, physics, progress, latency_ms=math.nan)


def play_together(games: Sequence[Generator[TaskEnv, ActionChunk, Played]], player: Player) -> list[Played]:
    """All episodes side by side, the player answering all in one pass; results in the order of `games`.

    A decision's latency is the wall time of the whole pass that made it: the pictures of all episodes that still run, and
    one forward pass over them. A robot alone waits less, so it is a bound; play one at a time (batch=1) for its own.
    An episode's first decision also makes its cameras, and counts only when there is no other.
    """
    waiting = {number: next(game) for number, game in enumerate(games)}
    latencies_ms: list[list[float]] = [[] for _ in games]
    done: dict[int, Played] = {}
    while waiting:
        asked_s = time.perf_counter()
        chunks = player.act_envs(list(waiting.values()))
        took_ms = 1e3 * (time.perf_counter() - asked_s)
        for number, chunk in zip(list(waiting), chunks, strict=True):
            latencies_ms[number].append(took_ms)
            try:
                waiting[number] = games[number].send(chunk)
            except StopIteration as end:
                counted = latencies_ms[number][1:] or latencies_ms[number]
                done[number] = end.value._replace(latency_ms=float(np.mean(counted)))
                del waiting[number]
    return [done[number] for number in range(len(games))]
