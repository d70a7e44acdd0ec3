"""Chunks that were made at different steps in, one action a step out; the next chunk is computed while one is executed.

`Timeline` says which chunk a step belongs to (simulated delays use it too), `Asynchronous` drives a robot in real time.
"""

import math
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import torch
from jaxtyping import Float32
from torch import Tensor

from lapa.records import ActionChunk, Observation


class _Made(NamedTuple):
    made_at: int  # step of the observation: the chunk's first action was meant for it
    ready_at: int  # step from which on it can be used
    actions: Float32[Tensor, "n d"]


class Timeline:
    """The action of each step. The steps that passed while a chunk was computed are dropped from its front.

    ensemble_decay: None takes the newest chunk that covers a step; a number ≥ 0 averages all that do, with weights
    exp(−decay · i), i = 0 the oldest (temporal ensembling of ACT, Zhao et al. 2023, arXiv 2304.13705; 0.01 there).
    """

    def __init__(self, *, ensemble_decay: float | None) -> None:
        if ensemble_decay is not None and not ensemble_decay >= 0:
            raise ValueError(f"ensemble_decay={ensemble_decay} must be at least 0, or null for the newest chunk")
        self._decay = ensemble_decay
        self._chunks: list[_Made] = []

    def add(self, chunk: ActionChunk, *, made_at: int, ready_at: int) -> None:
        """A chunk for the steps from `made_at` on, to be used from `ready_at` on."""
        self._chunks.append(_Made(made_at, ready_at, chunk.actions))

    def action(self, step: int) -> Float32[Tensor, "d"] | None:
        """What to do at `step`, None when no chunk covers it. Steps must not go back: what has passed is forgotten."""
        self._chunks = [one for one in self._chunks if step < one.made_at + len(one.actions)]
        covering = [one.actions[step - one.made_at] for one in self._chunks if one.made_at <= step >= one.ready_at]
        if not covering:
            return None
        if self._decay is None:
            return covering[-1]
        weights = torch.tensor([math.exp(-self._decay * i) for i in range(len(covering))])
        return (torch.stack(covering) * (weights / weights.sum())[:, None]).sum(dim=0)


class Asynchronous:
    """One action a control step; a policy (policy.infer.Policy, policy.server.client.Remote) thinks in a thread beside it.

    execute_steps: after so many steps the next chunk is asked for. A robot of 10 Hz whose policy takes 0.2 s needs chunks
    of execute_steps + 2 actions at least, or it waits: `waits` counts how often it did, the first time included.
    """

    def __init__(self, *, policy: Any, execute_steps: int, timeline: Callable[[], Timeline]) -> None:
        if not 1 <= execute_steps <= policy.chunk_steps:
            raise ValueError(f"execute_steps={execute_steps} must be in 1…{policy.chunk_steps}, the policy's chunk")
        self.policy, self.execute_steps, self.waits = policy, execute_steps, 0
        self._new_timeline = timeline
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="policy")
        self._asked: tuple[int, Future[ActionChunk]] | None = None
        self.reset()

    def reset(self) -> None:
        """Before an episode: what was planned is forgotten."""
        if self._asked is not None:
            self._asked[1].exception()  # wait for it: its answer belongs to the episode before
        self._asked, self._step, self._next = None, 0, 0
        self._timeline = self._new_timeline()

    def act(self, observation: Observation) -> Float32[Tensor, "d"]:
        """This step's action, in the robot's own units. Waits only when nothing is planned; raises what the policy did."""
        if self._step >= self._next:
            self._ask(observation)
        self._take(wait=False)
        action = self._timeline.action(self._step)
        while action is None:
            action = self._waited(observation)
        self._step += 1
        return action

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    def _waited(self, observation: Observation) -> Float32[Tensor, "d"] | None:
        """The robot stands still for it: a chunk that is asked for now starts with this step."""
        self.waits += 1
        self._ask(observation)
        self._take(wait=True)
        return self._timeline.action(self._step)

    def _ask(self, observation: Observation) -> None:
        """Unless it is computing still."""
        if self._asked is None:
            self._asked = self._step, self._thread.submit(self.policy.act, observation)
            self._next = self._step + self.execute_steps

    def _take(self, *, wait: bool) -> None:
        if self._asked is not None and (wait or self._asked[1].done()):
            made_at, answer = self._asked
            self._asked = None
            self._timeline.add(answer.result(), made_at=made_at, ready_at=self._step)
