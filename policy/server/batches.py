"""Observations of many clients in, each its own answer out; those that wait together go through one forward pass."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from lapa.records import ActionChunk, Observation

Act = Callable[[Sequence[Observation]], list[ActionChunk]]


class Answer(NamedTuple):
    """A chunk and what it cost. batch: requests that were computed together."""

    chunk: ActionChunk
    queue_ms: float
    model_ms: float
    batch: int


class _Request(NamedTuple):
    observation: Observation
    arrived_s: float
    answer: "asyncio.Future[Answer]"


class Batches:
    """`ask` from any number of tasks; `run` in one.

    max_batch: requests a pass; max_wait_ms: that the first of a batch waits for others at most; clients: how many could
    still ask, as nobody else need be waited for.
    """

    def __init__(self, *, act: Act, max_batch: int, max_wait_ms: float, clients: Callable[[], int]) -> None:
        self._act, self._max_batch, self._max_wait_s, self._clients = act, max_batch, max_wait_ms / 1e3, clients
        self._waiting: list[_Request] = []
        self._arrived = asyncio.Event()

    async def ask(self, observation: Observation) -> Answer:
        """The answer, or the error that this observation alone raises in the model."""
        request = _Request(observation, time.perf_counter(), asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._arrived.set()
        return await request.answer

    async def run(self) -> None:
        """Answer until cancelled. The model runs in a thread of its own, so that connections stay alive meanwhile."""
        with ThreadPoolExecutor(1, thread_name_prefix="model") as model:
            while True:
                batch = await self._gather()
                if batch:
                    await self._answer(batch, model)

    async def _gather(self) -> list[_Request]:
        while not self._waiting:
            self._arrived.clear()
            await self._arrived.wait()
        deadline = self._waiting[0].arrived_s + self._max_wait_s
        while len(self._waiting) < min(self._max_batch, self._clients()) and deadline > time.perf_counter():
            self._arrived.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), deadline - time.perf_counter())
        batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
        return [request for request in batch if not request.answer.done()]  # a client that left has cancelled its own

    async def _answer(self, batch: list[_Request], model: ThreadPoolExecutor) -> None:
        started = time.perf_counter()
        observations = [request.observation for request in batch]
        try:
            chunks = await asyncio.get_running_loop().run_in_executor(model, self._act, observations)
        except Exception as error:
            await self._blame(batch, model, error)
            return
        taken_ms = (time.perf_counter() - started) * 1e3
        for request, chunk in zip(batch, chunks, strict=True):
            if not request.answer.done():
                queue_ms = (started - request.arrived_s) * 1e3
                request.answer.set_result(Answer(chunk, queue_ms, taken_ms, len(batch)))

    async def _blame(self, batch: list[_Request], model: ThreadPoolExecutor, error: Exception) -> None:
        """One that alone is at fault gets the error; where there were several, each is tried by itself."""
        if len(batch) > 1:
            for request in batch:
                await self._answer([request], model)
        elif not batch[0].answer.done():
            batch[0].answer.set_exception(error)
