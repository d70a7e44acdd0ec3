"""Environments and a player in, how their episodes went out; all ask together, so one forward pass serves them."""

import hashlib
from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

import numpy as np

from lapa.records import ActionChunk
from sim_finetune.env import TaskEnv
from sim_finetune.players import Player

Row = dict[str, Any]


class Played(NamedTuple):
    """How an episode went, and its physics at each step, to draw from."""

    row: Row
    physics: list[np.ndarray]


def state_hash(env: TaskEnv) -> str:
    """Of all that physics depends on: equal in two arms when their episodes started equally."""
    return hashlib.sha256(env.get_physics().tobytes()).hexdigest()[:16]


def play_through(env: TaskEnv, *, seed: int, execute_steps: int) -> Generator[TaskEnv, ActionChunk, Played]:
    """One episode: yields the environment whenever it needs actions, is sent a chunk, returns how it went."""
    _, info = env.reset(seed=seed)
    start, holds, physics = state_hash(env), [bool(info["goal_holds"])], [env.get_physics()]
    ended = held = False
    while not ended:
        chunk = yield env
        for action in chunk.actions[:execute_steps].numpy():
            _, _, terminated, truncated, info = env.step(action)
            holds.append(bool(info["goal_holds"]))
            held = held or bool(info["success"])
            physics.append(env.get_physics())
            ended = terminated or truncated
            if ended:
                break
    row = {"seed": seed, "state_hash": start, "steps": len(holds) - 1, "text": env.task_description}
    return Played(row | {"success_once": any(holds), "success_at_end": holds[-1], "success_held": held}, physics)


def play_together(games: Sequence[Generator[TaskEnv, ActionChunk, Played]], player: Player) -> list[Played]:
    """All episodes side by side, the player answering all in one pass; results in the order of `games`."""
    waiting = {number: next(game) for number, game in enumerate(games)}
    done: dict[int, Played] = {}
    while waiting:
        chunks = player.act_envs(list(waiting.values()))
        for number, chunk in zip(list(waiting), chunks, strict=True):
            try:
                waiting[number] = games[number].send(chunk)
            except StopIteration as end:
                done[number] = end.value
                del waiting[number]
    return [done[number] for number in range(len(games))]
