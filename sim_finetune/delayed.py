"""A policy and a delay in steps in; the chunks a robot would carry out whose policy needs that long to answer, out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import torch

from lapa.records import ActionChunk
from sim_finetune.env import TaskEnv
from sim_finetune.players import Learnt


class _Game:
    """One episode: its timeline, and the next step of it. time_s: the simulation's, which only a new episode sets back."""

    def __init__(self, timeline: Any, time_s: float) -> None:
        self.timeline, self.step, self.time_s = timeline, 0, time_s


class Delayed:
    """Every chunk comes `delay_steps` control steps late; counted in steps, an episode is the same every time.

    timeline: makes an object with `add(chunk, made_at, ready_at)` and `action(step)` (policy.asynchronous.Timeline) that
    says what to do meanwhile; None: the robot stands still while the policy computes. Before the first chunk it must.
    execute_steps: the policy is asked every so many steps, those it stands still among them.
    """

    def __init__(
        self, *, policy: Any, delay_steps: int, execute_steps: int, timeline: Callable[[], Any] | None
    ) -> None:
        longest = policy.chunk_steps - delay_steps if timeline else policy.chunk_steps + delay_steps
        if not 0 <= delay_steps < execute_steps <= longest:
            raise ValueError(
                f"0 ≤ delay_steps < execute_steps ≤ {longest} must hold for chunks of {policy.chunk_steps} actions; "
                f"delay_steps={delay_steps}, execute_steps={execute_steps}"
            )
        self._player, self.hash = Learnt(policy=policy), policy.hash
        self._delay, self._execute, self._timeline = delay_steps, execute_steps, timeline
        self._games: WeakKeyDictionary[TaskEnv, _Game] = WeakKeyDictionary()

    def preflight(self, robot: Mapping[str, Any]) -> None:
        """The policy's own."""
        self._player.preflight(robot)

    def act_envs(self, envs: Sequence[TaskEnv]) -> list[ActionChunk]:
        """For each the `execute_steps` actions until it asks again."""
        return [self._late(env, chunk) for env, chunk in zip(envs, self._player.act_envs(envs), strict=True)]

    def _late(self, env: TaskEnv, chunk: ActionChunk) -> ActionChunk:
        pause = torch.from_numpy(env.target()).float().expand(self._delay, -1)
        if self._timeline is None:
            return ActionChunk(torch.cat([pause, chunk.actions])[: self._execute])
        now_s, game = float(env.data.time), self._games.get(env)
        if game is None or now_s < game.time_s:
            game = self._games[env] = _Game(self._timeline(), now_s)
        start, ready_at = game.step, game.step + self._delay
        # Before the first chunk the robot has not moved: that one is not late, it begins later.
        game.timeline.add(chunk, made_at=start or ready_at, ready_at=ready_at)
        game.step, game.time_s = start + self._execute, now_s
        actions = [game.timeline.action(step) for step in range(start, game.step)]
        return ActionChunk(torch.stack([pause[0] if action is None else action for action in actions]))
