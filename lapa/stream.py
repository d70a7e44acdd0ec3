"""The one training loader: a folder of clip shards in, an endless, seeded, exactly resumable stream of records out."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import torch
from jaxtyping import UInt32
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from lapa.shards import ShardIndex, shard_paths
from lapa.stage import read_manifest
from lapa.video import decode_mp4

KEPT_BYTES = 768 * 2**20  # of decoded frames, for each stream in each process that reads it: a thousand clips of 6 s, 64 px

Take = Callable[[dict[str, Any], np.random.Generator], list[Any]]
Clips = UInt32[np.ndarray, "n"]  # numbers of clips in an index


def split_indices(keys: Sequence[str], *, split: str, val_percent: int) -> Clips:
    """Numbers of the clips in a split. A clip's side depends on its key alone, so adding clips moves none, and on what
    stands before an "@": clips of one video share it, and stay on one side."""
    if split not in ("train", "val", "all"):
        raise ValueError(f"no split {split!r}; there are train, val, all")
    if split == "all":
        return np.arange(len(keys), dtype=np.uint32)
    sides = (zlib.crc32(key.partition("@")[0].encode()) % 100 < val_percent for key in keys)
    in_val = np.fromiter(sides, bool, len(keys))
    return np.flatnonzero(in_val == (split == "val")).astype(np.uint32)


def share_of(clips: Clips, keys: Sequence[str], *, percent: float) -> Clips:
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
        info = get_worker_info()
        workers, worker = (info.num_workers, info.id) if info else (1, 0)
        # DataLoader asks its worker 0 first; after `start_batch` batches that turn belongs to another lane.
        lane = (worker + self.start_batch) % workers
        yield from self.lane(lane, workers, before=(self.start_batch + workers - 1 - lane) // workers)

    def lane(self, lane: int, lanes: int, *, before: int) -> Iterator[Any]:
        """Every record that worker `lane` of `lanes` reads, after the `before` batches it has given already."""
        raise NotImplementedError


class ClipStream(Batches):
    """Endless records of a split. The epochs' permutations, one after another, are dealt out in turn to all workers of all
    ranks: each clip once an epoch and none left over, `samples_per_clip` records of it, shuffled within a block. Nothing
    depends on the clock or on what was read before, so `start_batch` takes up the stream at any batch. The frames of the
    first clips that fit into `KEPT_BYTES` are kept: of what comes round as a whole, again and again, no other choice is
    found more often.
    """

    def __init__(self, *, folder: Path, take: Take, split: str, val_percent: int, plan: Plan, start_batch: int):
        super().__init__()
        self.index = ShardIndex(shard_paths(folder))
        self.clips = split_indices(self.index.keys, split=split, val_percent=val_percent)
        if len(self.clips) < plan.world:
            raise ValueError(f"{folder}: split {split!r} has {len(self.clips)} of {len(self.index)} clips; too few")
        self.take, self.plan, self.start_batch = take, plan, start_batch
        self._kept: dict[int, torch.Tensor] = {}
        self._kept_bytes = 0

    def lane(self, lane: int, lanes: int, *, before: int) -> Iterator[Any]:
        """Block by block, epoch by epoch."""
        plan, start, step = self.plan, self.plan.rank + self.plan.world * lane, self.plan.world * lanes
        given = before * plan.batch_size
        epoch = (start + given // plan.samples_per_clip * step) // len(self.clips)
        clips_before = max(0, -(-(epoch * len(self.clips) - start) // step))
        skip = given - clips_before * plan.samples_per_clip
        while True:
            yield from self._epoch(epoch, start, step, skip)
            epoch, skip = epoch + 1, 0

    def _epoch(self, epoch: int, start: int, step: int, skip: int) -> Iterator[Any]:
        plan = self.plan
        order = np.random.default_rng((plan.seed, epoch)).permutation(self.clips)
        mine = order[(start - epoch * len(order)) % step :: step]
        first, skip = divmod(skip, plan.clips_per_block * plan.samples_per_clip)
        for number in range(first * plan.clips_per_block, len(mine), plan.clips_per_block):
            block = mine[number : number + plan.clips_per_block]
            yield from self._block(block, epoch)[skip:]
            skip = 0

    def _block(self, clips: np.ndarray, epoch: int) -> list[Any]:
        records = [record for clip in clips for record in self.records(int(clip), epoch)]
        rng = np.random.default_rng((self.plan.seed, epoch, int(clips[0])))
        return [records[i] for i in rng.permutation(len(records))]

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


class _Bounded(IterableDataset):
    """A stream that ends after its share of `batches`, and tells Lightning its length (needed to resume exactly)."""

    def __init__(self, stream: Batches, batches: int):
        super().__init__()
        self.stream, self.batches = stream, batches

    def __len__(self) -> int:
        return self.batches * self.stream.plan.batch_size

    def __iter__(self) -> Iterator[Any]:
        info = get_worker_info()
        workers, worker = (info.num_workers, info.id) if info else (1, 0)
        share = len(range(worker, self.batches - self.stream.start_batch, workers))
        for _, record in zip(range(share * self.stream.plan.batch_size), self.stream, strict=False):
            yield record


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

    def training_clips(self, keys: Sequence[str]) -> Clips:
        """Numbers of the clips that are trained on, of a folder with these keys."""
        whole = split_indices(keys, split="train", val_percent=self.val_percent)
        return share_of(whole, keys, percent=self.train_percent)

    def train_dataloader(self) -> DataLoader:
        """Batches from the trainer's present step to its last."""
        assert self.trainer is not None
        start = self.trainer.global_step
        dataset = _Bounded(self.stream("train", start_batch=start), self.trainer.max_steps)
        return self._loader(dataset, self.num_workers)

    def val_dataloader(self) -> DataLoader | list[Any]:
        """The same `val_batches` batches at every validation."""
        if self.val_batches == 0:
            return []
        return self._loader(_Bounded(self.stream("val"), self.val_batches), 0)

    def _loader(self, dataset: IterableDataset, num_workers: int) -> DataLoader:
        return DataLoader(
            dataset, batch_size=self.batch_size, num_workers=num_workers, drop_last=True,
            persistent_workers=num_workers > 0,
        )  # fmt: skip
