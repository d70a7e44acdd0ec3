"""Clip shards in; frame pairs `gap_s` seconds apart out, several of each clip that is decoded."""

import zlib
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader

from lapa.records import FramePair, checked
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import read_manifest
from lapa.stream import ClipStream, Plan, StreamData
from lapa.video import gap_frames


class LabelPlan(NamedTuple):
    """Which clips may show their true states, and how: `percent` of them, drawn by key; the array `name` of `size` numbers."""

    percent: float
    name: str
    size: int

    def state(self, sample: dict[str, Any]) -> np.ndarray | None:
        """float32 [t, size] when this clip has it and was drawn; ValueError when it is of another size."""
        drawn = zlib.crc32(("label " + sample["__key__"]).encode()) % 10_000 < self.percent * 100
        if not drawn or self.name not in sample:
            return None
        if sample[self.name].shape[1] != self.size:
            raise ValueError(
                f"clip {sample['__key__']}: {self.name} has {sample[self.name].shape[1]} numbers, not {self.size}"
            )
        return np.asarray(sample[self.name], np.float32)


def label_plan(folder: Path, percent: float, name: str) -> LabelPlan:
    """The plan for a folder of clips: the first clip that has `name` says how many numbers a label has."""
    if not 0 <= percent <= 100:
        raise ValueError(f"label_percent={percent:g} is no share of clips; choose 0 to 100")
    if percent == 0:
        return LabelPlan(0, name, 0)
    index = ShardIndex(shard_paths(folder))
    samples = (index[i] for i in range(len(index)))
    found = next((sample[name].shape[1] for sample in samples if name in sample), None)
    if found is None:
        raise ValueError(
            f"label_percent={percent:g}, but no clip in {folder} has {name}; set labels_of or label_percent=0"
        )
    return LabelPlan(percent, name, found)


def take_pairs(
    sample: dict[str, Any], rng: np.random.Generator, *, gap_s: float, pairs_per_clip: int, labels: LabelPlan
) -> list[FramePair]:
    """`pairs_per_clip` pairs of a decoded clip, in order of time, each start at most once while there are enough.

    No pair reaches over the clip's end: ValueError when the clip is not longer than the gap.
    """
    frames, facts = sample["frames"], sample["json"]
    gap = gap_frames(gap_s, facts["fps"])
    starts = len(frames) - gap
    if starts < 1:
        raise ValueError(f"clip {sample['__key__']} has {len(frames)} frames; a gap of {gap} does not fit")
    chosen = np.sort(rng.choice(starts, size=pairs_per_clip, replace=starts < pairs_per_clip))
    true_gap = torch.tensor(gap / facts["fps"], dtype=torch.float32)
    state = labels.state(sample)
    unknown = torch.full((labels.size,), torch.nan)
    changes = [unknown if state is None else torch.from_numpy(state[i + gap] - state[i]) for i in chosen]
    return [
        checked(FramePair(sample["__key__"], frames[start], frames[start + gap], true_gap, facts["text"], change))
        for start, change in zip(chosen.tolist(), changes, strict=True)
    ]


def pair_facts(manifest: dict[str, Any], gap_s: float) -> dict[str, Any]:
    """The manifest's numbers with the true gap; ValueError when some of its clips are too short for it."""
    gap = gap_frames(gap_s, manifest["fps"])
    shortest = np.ceil(manifest.get("min_clip_s", np.inf) * manifest["fps"])
    if shortest <= gap:
        raise ValueError(
            f"gap_s={gap_s:g} needs longer clips than {manifest['min_clip_s']} s: build with larger filters.min_clip_s"
        )
    return {"fps": manifest["fps"], "image_px": manifest["image_px"], "gap_s": gap / manifest["fps"]}


class PairData(StreamData):
    """Lightning's train and validation loaders of frame pairs; see `lapa.stream.StreamData` for the other settings."""

    def __init__(
        self, *, folder: str | Path, gap_s: float, pairs_per_clip: int, label_percent: float, labels_of: str, **stream: Any
    ):  # fmt: skip
        labels = label_plan(Path(folder), label_percent, labels_of)
        take = partial(take_pairs, gap_s=gap_s, pairs_per_clip=pairs_per_clip, labels=labels)
        super().__init__(folder=folder, take=take, samples_per_clip=pairs_per_clip, **stream)
        self._pair_facts = pair_facts(self.manifest, gap_s) | {"label_size": labels.size}

    def facts(self) -> dict[str, Any]:
        """Manifest numbers, the true `gap_s`, and how many numbers a label has."""
        return super().facts() | self._pair_facts


class PairLoader(DataLoader):
    """Endless batches of frame pairs, without Lightning: `for pairs in PairLoader(folder=…, gap_s=0.5, …)`.

    The same (seed, rank, num_workers) gives the same batches, each epoch in another order; `start_batch` goes on there.
    """

    def __init__(
        self, *, folder: str | Path, gap_s: float, pairs_per_clip: int, split: str, val_percent: int, batch_size: int,
        clips_per_block: int, seed: int, rank: int, world: int, start_batch: int, num_workers: int,
    ):  # fmt: skip
        pair_facts(read_manifest(Path(folder)), gap_s)
        none = label_plan(Path(folder), 0, "")
        take = partial(take_pairs, gap_s=gap_s, pairs_per_clip=pairs_per_clip, labels=none)
        plan = Plan(pairs_per_clip, clips_per_block, batch_size, seed, rank, world)
        stream = ClipStream(
            folder=Path(folder), take=take, split=split, val_percent=val_percent, plan=plan, start_batch=start_batch
        )
        super().__init__(stream, batch_size=batch_size, num_workers=num_workers)
