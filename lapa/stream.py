"""The one training loader: a folder of clip shards in, an endless, seeded, exactly resumable stream of records out."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import torch
from jaxtyping import UInt32
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from lapa.readers import Block, Readers, Source, read_here
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import read_manifest
from lapa.video import decode_mp4

# Of decoded frames, for each stream in each process that reads it: a thousand clips of 6 s, 64 px.
KEPT_BYTES = 768 * 2**20

Take = Callable[[dict[str, Any], np.random.Generator], list[Any]]
Numbers = UInt32[np.ndarray, "n"]  # of clips in an index


def video_of(key: str) -> str:
    """What stands before an "@" in a clip's key: the same for all clips of one video."""
    return key.partition("@")[0]


def shows_label(key: str, percent: float) -> bool:
    """Whether a clip is of the `percent` of videos whose true states a quantizer's training may see: always the same ones."""
    return zlib.crc32(("label " + video_of(key)).encode()) % 10_000 < percent * 100


def split_indices(keys: Sequence[str], *, split: str, val_percent: int) -> Numbers:
    """Numbers of the clips in a split. A clip's side depends on its key alone, so adding clips moves none, and on what
    stands before an "@": clips of one video share it, and stay on one side."""
    if split not in ("train", "val", "all"):
        raise ValueError(f"no split {split!r}; there are train, val, all")
    if split == "all":
        return np.arange(len(keys), dtype=np.uint32)
    sides = (zlib.crc32(video_of(key).encode()) % 100 < val_percent for key in keys)
    in_val = np.fromiter(sides, bool, len(keys))
    return np.flatnonzero(in_val == (split == "val")).astype(np.uint32)


def share_of(clips: Numbers, keys: Sequence[str], *, percent: float) -> Numbers:
    """`percent` of `clips`, at least one, in rising order; keys alone decide, and a smaller share lies in a larger one."""
    if not 0 < percent <= 100:
        raise ValueError(f"train_percent must be in (0, 100], got {percent:g}")
    if percent == 100 or not len(clips):
        return clips
    count = max(1, round(len(clips) * percent / 100))
    # The keys' sha256 is their order; 8 bytes of it tell nearly all apart, and whole ones those at the edge of the share.
    places = np.fromiter((int.from_bytes(_mixed(keys[i])[:8]) for i in clips), np.uint64, len(clips))
    edge = np.partition(places, count - 1)[count - 1]
    inside = clips[places < edge]
    at_edge = sorted(clips[places == edge], key=lambda i: _mixed(keys[i]))
    return np.sort(np.append(inside, np.array(at_edge[: count - len(inside)], clips.dtype)))


def _mixed(key: str) -> bytes:
    return sha256(key.encode()).digest()


class Plan(NamedTuple):
    """What fixes the order of samples, besides the clips themselves."""

    samples_per_clip: int
    clips_per_block: int
    batch_size: int
    seed: int
    rank: int
    world: int


class Batches(IterableDataset):
    """Endless records, `plan.batch_size` of them a batch, of which `start_batch` is the first that is given."""

    plan: Plan
    start_batch: int

    def __iter__(self) -> Iterator[Any]:
        if get_worker_info():
            raise ValueError("each process of this DataLoader would give all records; set num_workers of lapa's loader")
        return self.read(num_workers=0)

    def read(self, *, num_workers: int) -> Iterator[Any]:
        """The records: the same, in the same order, with any number of processes that read; 0: this one does."""
        if num_workers == 0:
            return self.records_from(self.start_batch, read_here)
        streams = self.streams_from(self.start_batch)
        return self.records_from(self.start_batch, Readers(streams, num_workers=num_workers).read)

    def streams_from(self, before: int) -> list[tuple["ClipStream", int]]:
        """The streams of clips that this one is made of, each with how many of its batches are given before."""
        raise NotImplementedError

    def records_from(self, before: int, source: Source) -> Iterator[Any]:
        """Every record after `before` batches; `source` reads the clips."""
        raise NotImplementedError


class ClipStream(Batches):
    """Endless records of a split. The epochs' permutations, one after another, are dealt out in turn to all ranks: each
    clip once an epoch and none left over, `samples_per_clip` records of it, shuffled within a block. Nothing depends on
    the clock or on what was read before, so `start_batch` takes up the stream at any batch. The frames of the first clips
    that fit into `KEPT_BYTES` are kept: of what comes round as a whole, again and again, no other choice is found more
    often.
    """

    def __init__(self, *, folder: Path, take: Take, split: str, val_percent: int, plan: Plan, start_batch: int):
        super().__init__()
        self.index = ShardIndex(shard_paths(folder))
        self.clips = split_indices(self.index.keys, split=split, val_percent=val_percent)
        if len(self.clips) < plan.world:
            raise ValueError(
                f"{folder}: split {split!r} has {len(self.clips)} of {len(self.index)} clips; too few. What is held out "
                "for validation: data.val_percent; none with data.val_batches=0"
            )
        self.take, self.plan, self.start_batch = take, plan, start_batch
        self._kept: dict[int, torch.Tensor] = {}
        self._kept_bytes = 0

    def streams_from(self, before: int) -> list[tuple["ClipStream", int]]:
        """This one."""
        return [(self, before)]

    def records_from(self, before: int, source: Source) -> Iterator[Any]:
        """Block by block, epoch by epoch."""
        for block, records in source(self, before):
            rng = np.random.default_rng((self.plan.seed, block.epoch, int(block.clips[0])))
            yield from (records[i] for i in rng.permutation(len(records))[block.skip :])

    def blocks(self, before: int) -> Iterator[Block]:
        """From the one in which the batch after `before` batches begins."""
        plan, count = self.plan, len(self.clips)
        given = before * plan.batch_size
        epoch = (plan.rank + given // plan.samples_per_clip * plan.world) // count
        clips = max(0, -(-(epoch * count - plan.rank) // plan.world))  # of this rank, in the epochs before
        first, skip = divmod(given - clips * plan.samples_per_clip, plan.clips_per_block * plan.samples_per_clip)
        while True:
            order = np.random.default_rng((plan.seed, epoch)).permutation(self.clips)
            mine = order[(plan.rank - epoch * count) % plan.world :: plan.world]
            for number in range(first * plan.clips_per_block, len(mine), plan.clips_per_block):
                first_batch = (clips + number) * plan.samples_per_clip // plan.batch_size
                yield Block(epoch, mine[number : number + plan.clips_per_block], first_batch, skip)
                skip = 0
            epoch, clips, first = epoch + 1, clips + len(mine), 0

    def records(self, clip: int, epoch: int) -> list[Any]:
        """The records that `take` draws from one clip in one epoch."""
        sample = self._read(clip)
        records = self.take(sample, np.random.default_rng((self.plan.seed, epoch, clip, 1)))
        assert len(records) == self.plan.samples_per_clip, (len(records), self.plan.samples_per_clip)
        return records

    def _read(self, clip: int) -> dict[str, Any]:
        if clip in self._kept:
            sample = self.index[clip]
            del sample["mp4"]
            return sample | {"frames": self._kept[clip]}
        sample = read_clip(self.index, clip)
        if self._kept_bytes + sample["frames"].nbytes <= KEPT_BYTES:
            self._kept[clip] = sample["frames"]
            self._kept_bytes += sample["frames"].nbytes
        return sample


def read_clip(index: ShardIndex, i: int) -> dict[str, Any]:
    """Sample `i` with its mp4 decoded to `frames` uint8 [t, 3, h, w]."""
    sample = index[i]
    sample["frames"] = decode_mp4(sample.pop("mp4"))
    return sample


class Records(IterableDataset):
    """A stream's records as a loader takes them, read by `num_workers` processes."""

    def __init__(self, stream: Batches, *, num_workers: int):
        super().__init__()
        self.stream, self.num_workers = stream, num_workers

    def __iter__(self) -> Iterator[Any]:
        return self.stream.read(num_workers=self.num_workers)


class _Bounded(Records):
    """Records that end after `batches`, and tell Lightning their number (needed to resume exactly)."""

    def __init__(self, stream: Batches, *, num_workers: int, batches: int):
        super().__init__(stream, num_workers=num_workers)
        self.batches = batches

    def __len__(self) -> int:
        return self.batches * self.stream.plan.batch_size

    def __iter__(self) -> Iterator[Any]:
        return islice(super().__iter__(), len(self) - self.stream.start_batch * self.stream.plan.batch_size)


class StreamData(L.LightningDataModule):
    """Train and validation loaders over one shard folder; one "epoch" is the whole training of `max_steps` batches.

    A room gives `take`, which returns `samples_per_clip` records of a clip. `train_percent`: how many of the clips that
    validation leaves are trained on, to see what few are worth; validation has all of its.
    """

    def __init__(
        self, *, folder: str | Path, take: Take, samples_per_clip: int, batch_size: int, clips_per_block: int,
        val_percent: int, train_percent: float, val_batches: int, num_workers: int, seed: int,
    ):  # fmt: skip
        super().__init__()
        self.folder, self.take, self.samples_per_clip = Path(folder), take, samples_per_clip
        self.batch_size, self.clips_per_block, self.num_workers = batch_size, clips_per_block, num_workers
        self.val_percent, self.train_percent = val_percent, train_percent
        self.val_batches, self.seed = val_batches, seed
        self.manifest = read_manifest(self.folder)

    def facts(self) -> dict[str, Any]:
        """The numbers a model must agree on, from the folder's manifest."""
        keys = ("fps", "gap_s", "image_px", "camera", "cameras", "num_codes", "codes_per_step", "embodiment")
        return {key: self.manifest[key] for key in keys if key in self.manifest}

    def stream(self, split: str, *, start_batch: int = 0) -> Batches:
        """The stream of a split for this rank."""
        return self.clip_stream(self.folder, self.take, self.batch_size, split, start_batch)

    def clip_stream(self, folder: Path, take: Take, batch_size: int, split: str, start_batch: int) -> ClipStream:
        """One folder's stream, `batch_size` records of which go into each of this rank's batches.

        ValueError when the share has fewer clips than there are ranks.
        """
        trainer = self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        plan = Plan(self.samples_per_clip, self.clips_per_block, batch_size, self.seed, rank, world)
        stream = ClipStream(
            folder=folder, take=take, split=split, val_percent=self.val_percent, plan=plan, start_batch=start_batch
        )
        if split == "train":
            stream.clips = share_of(stream.clips, stream.index.keys, percent=self.train_percent)
            if len(stream.clips) < world:
                raise ValueError(f"train_percent={self.train_percent:g} leaves {len(stream.clips)} clips: too few")
        return stream

    def training_clips(self, keys: Sequence[str]) -> Numbers:
        """Numbers of the clips that are trained on, of a folder with these keys."""
        whole = split_indices(keys, split="train", val_percent=self.val_percent)
        return share_of(whole, keys, percent=self.train_percent)

    def train_dataloader(self) -> DataLoader:
        """Batches from the trainer's present step to its last."""
        assert self.trainer is not None
        start = self.trainer.global_step
        stream = self.stream("train", start_batch=start)
        return self._loader(_Bounded(stream, num_workers=self.num_workers, batches=self.trainer.max_steps))

    def val_dataloader(self) -> DataLoader | list[Any]:
        """The same `val_batches` batches at every validation."""
        if self.val_batches == 0:
            return []
        return self._loader(_Bounded(self.stream("val"), num_workers=0, batches=self.val_batches))

    def _loader(self, records: IterableDataset) -> DataLoader:
        return DataLoader(records, batch_size=self.batch_size, drop_last=True)
