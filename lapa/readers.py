"""Blocks of clips of one or several streams in, their records out, read by some processes: as many as one likes."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import tee
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from jaxtyping import UInt32
from numpy import ndarray
from torch.utils.data import DataLoader, Dataset, default_collate

if TYPE_CHECKING:
    from lapa.stream import ClipStream

CLIPS_AT_ONCE = 8  # that a process reads and sends: few, so that all have work; not one, as sending costs, too


class Block(NamedTuple):
    """Clips whose records are shuffled together; `skip` of these are not wanted."""

    epoch: int
    clips: UInt32[ndarray, "n"]
    first_batch: int  # in which its records begin
    skip: int


Filled = Iterator[tuple[Block, list[Any]]]  # blocks with their records
Source = Callable[["ClipStream", int], Filled]  # of a stream, from the batch after so many


def read_here(stream: "ClipStream", before: int) -> Filled:
    """By this process, when asked."""
    for block in stream.blocks(before):
        yield block, _records(stream, block.clips.tolist(), block.epoch)


class Part(NamedTuple):
    """What one process reads at a time: clips of a block of stream number `stream`."""

    stream: int
    epoch: int
    clips: list[int]
    first_batch: int


class Readers:
    """`num_workers` processes that read all `streams` (each with the batches that were given before), one block ahead.

    Parts are asked for and come in the order in which batches need them, whoever reads them: so neither the records nor
    their order depend on how many processes there are.
    """

    def __init__(self, streams: Sequence[tuple["ClipStream", int]], *, num_workers: int):
        self.streams = [stream for stream, _ in streams]
        blocks = [tee(stream.blocks(before)) for stream, before in streams]
        self.blocks = [mine for mine, _ in blocks]
        parts = (_parts(number, theirs) for number, (_, theirs) in enumerate(blocks))
        self.asked, to_ask = tee(merge(*parts, key=attrgetter("first_batch")))
        ahead = sum(-(-stream.plan.clips_per_block // CLIPS_AT_ONCE) for stream in self.streams)
        self.come = iter(
            DataLoader(
                _Read(self.streams), sampler=to_ask, batch_size=None, collate_fn=default_collate,
                num_workers=num_workers, prefetch_factor=max(2, -(-ahead // num_workers)),
                generator=torch.Generator(),  # not the training's own, which the number of processes must not touch
            )
        )  # fmt: skip
        self.waiting: list[deque[list[Any]]] = [deque() for _ in streams]

    def read(self, stream: "ClipStream", before: int) -> Filled:
        """By the processes; see `Source`. `before` is as told in the beginning."""
        number = next(i for i, each in enumerate(self.streams) if each is stream)
        for block in self.blocks[number]:
            records: list[Any] = []
            for _ in _cuts(block):
                records += self._next_of(number)
            yield block, records

    def _next_of(self, number: int) -> list[Any]:
        while not self.waiting[number]:
            self.waiting[next(self.asked).stream].append(apart(next(self.come)))
        return self.waiting[number].popleft()


class _Read(Dataset):
    def __init__(self, streams: list["ClipStream"]):
        self.streams = streams

    def __getitem__(self, part: Part) -> list[Any]:
        return _records(self.streams[part.stream], part.clips, part.epoch)


def _records(stream: "ClipStream", clips: list[int], epoch: int) -> list[Any]:
    return [record for clip in clips for record in stream.records(clip, epoch)]


def _cuts(block: Block) -> Iterator[slice]:
    return (slice(start, start + CLIPS_AT_ONCE) for start in range(0, len(block.clips), CLIPS_AT_ONCE))


def _parts(number: int, blocks: Iterator[Block]) -> Iterator[Part]:
    for block in blocks:
        for cut in _cuts(block):
            yield Part(number, block.epoch, block.clips[cut].tolist(), block.first_batch)


def apart(records: Any) -> list[Any]:
    """The records that `default_collate` put together; copies, so that the memory shared with a process is free again."""
    if isinstance(records, torch.Tensor):
        return list(records.clone().unbind())
    if isinstance(records, dict):
        return [dict(zip(records, row, strict=True)) for row in zip(*map(apart, records.values()), strict=True)]
    if hasattr(records, "_fields"):
        return [type(records)(*row) for row in zip(*map(apart, records), strict=True)]
    assert all(isinstance(text, str) for text in records), type(records)
    return list(records)
