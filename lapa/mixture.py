"""Streams of clips in, one stream out: several folders in every batch by weight, or batches of records alike in length."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np

from lapa.readers import Source
from lapa.stream import Batches, ClipStream

MAIN = "clips"  # the name, in a mixture, of the folder that every training has


def shares(weights: dict[str, float], batch_size: int) -> dict[str, int]:
    """How many records of each folder stand in every batch, by largest remainder; they add up to `batch_size`.

    ValueError when a weight is not positive, or so small beside the others that a batch would hold none of its records.
    """
    wrong = [name for name, weight in weights.items() if not weight > 0]
    if wrong:
        raise ValueError(f"weights must be above 0; those of {', '.join(wrong)} are not: leave these out instead")
    exact = {name: batch_size * weight / sum(weights.values()) for name, weight in weights.items()}
    counts = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_remainder[: batch_size - sum(counts.values())]:
        counts[name] += 1
    empty = [name for name, count in counts.items() if count == 0]
    if empty:
        raise ValueError(f"batch_size={batch_size} has no room for {', '.join(empty)}: raise it, or their weight")
    return counts


def weighted(
    mixture: Mapping[str, Mapping[str, Any]] | None, batch_size: int, *, name: str = MAIN, **main: Any
) -> tuple[dict[str, Mapping[str, Any]], dict[str, int]]:
    """All folders of a mixture by name, {name: its entry}, and how many records of each stand in every batch (`shares`).

    main: the entry, called `name`, of the folder that every training has; its weight is 1. mixture: further {name: entry}.
    """
    folders: dict[str, Mapping[str, Any]] = {name: main | {"weight": 1.0}} | dict(mixture or {})
    return folders, shares({key: float(each["weight"]) for key, each in folders.items()}, batch_size)


def check_alike(facts: Mapping[str, Mapping[str, Any]], *, words: str) -> None:
    """ValueError where a folder's facts, {name: {fact: value}}, are not the first one's; `words` say what is needed."""
    first = next(iter(facts))
    for name, theirs in facts.items():
        faults = [f"{key} is {value} in {name}, {facts[first][key]} in {first}" for key, value in theirs.items()
                  if value != facts[first][key]]  # fmt: skip
        if faults:
            raise ValueError(f"a mixture needs {words}: {'; '.join(faults)}")


class Mixture(Batches):
    """The records of several streams: every batch holds each one's own `plan.batch_size` of them.

    Constant numbers keep what a single stream promises: any batch can be the first, and within each folder no record
    comes twice an epoch or is left out, over all ranks. A small folder begins its next epoch sooner.
    """

    def __init__(self, streams: list[Batches]):
        super().__init__()
        self.streams, self.start_batch = streams, streams[0].start_batch
        self.plan = streams[0].plan._replace(batch_size=sum(stream.plan.batch_size for stream in streams))

    def streams_from(self, before: int) -> list[tuple[ClipStream, int]]:
        """All that are mixed."""
        return [each for stream in self.streams for each in stream.streams_from(before)]

    def records_from(self, before: int, source: Source) -> Iterator[Any]:
        """Batch by batch, one stream after the other."""
        parts = [(stream.records_from(before, source), stream.plan.batch_size) for stream in self.streams]
        while True:
            for records, count in parts:
                yield from islice(records, count)


def joined(streams: list[Batches]) -> Batches:
    """One folder's stream, or the mixture of several."""
    return streams[0] if len(streams) == 1 else Mixture(streams)


class Grouped(Batches):
    """The records of a stream, `window` batches at a time put together by length: batches of one length need no padding.

    The same records as without, in another order; the window's batches are shuffled.
    """

    def __init__(self, stream: Batches, *, window: int, length: Callable[[Any], int]):
        super().__init__()
        self.stream, self.plan, self.start_batch = stream, stream.plan, stream.start_batch
        self.window, self.length = window, length

    def streams_from(self, before: int) -> list[tuple[ClipStream, int]]:
        """The stream's, from the window's first batch."""
        return self.stream.streams_from(before // self.window * self.window)

    def records_from(self, before: int, source: Source) -> Iterator[Any]:
        """Window by window."""
        number, skip = divmod(before, self.window)
        ungrouped = self.stream.records_from(number * self.window, source)
        while True:
            records = list(islice(ungrouped, self.window * self.plan.batch_size))
            order = np.argsort([self.length(record) for record in records], kind="stable")  # ties stay shuffled
            batches = order.reshape(self.window, self.plan.batch_size)
            rng = np.random.default_rng((self.plan.seed, number))
            for batch in rng.permutation(self.window)[skip:]:
                yield from (records[i] for i in batches[batch])
            number, skip = number + 1, 0
