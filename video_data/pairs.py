"""Clip shards in, of one folder or several; frame pairs so many seconds apart out, several of each clip that is decoded."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader

from lapa.mixture import MAIN, check_alike, joined, weighted
from lapa.records import FramePair, checked
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import read_manifest
from lapa.stream import Batches, ClipStream, Plan, Records, StreamData, shows_label
from lapa.video import gap_frames, gap_in

STILL = 0.1  # of 255, mean change of a pixel: what a moment counts in which nothing moves; noise has more


class LabelPlan(NamedTuple):
    """Which clips may show their true states, and how: `percent` of them, drawn by key; the array `name` of `size` numbers."""

    percent: float
    name: str
    size: int

    def state(self, sample: dict[str, Any]) -> np.ndarray | None:
        """float32 [t, size] when this clip has as many numbers and was drawn."""
        if not shows_label(sample["__key__"], self.percent) or self.name not in sample:
            return None
        if sample[self.name].shape[1] != self.size:  # another body's of the mixture
            return None
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


class Drawing(NamedTuple):
    """Which pairs of a clip are taken."""

    gaps_s: tuple[float, ...]  # [s]; each has its equal share of a clip's pairs
    pairs_per_clip: int
    motion_power: float  # 0: every moment alike; 1: as likely as much of the picture changes; 2: its square


def take_pairs(
    sample: dict[str, Any], rng: np.random.Generator, *, drawing: Drawing, labels: LabelPlan
) -> list[FramePair]:
    """`pairs_per_clip` pairs of a decoded clip, each start of a gap at most once while there are enough.

    No pair reaches over the clip's end: ValueError when the clip is not longer than a gap.
    """
    gaps = len(drawing.gaps_s)
    first = rng.integers(gaps) if gaps > 1 else 0  # where the pairs cannot be shared out evenly, chance decides
    counts = np.bincount((np.arange(drawing.pairs_per_clip) + first) % gaps, minlength=gaps)
    state = labels.state(sample)
    return [
        pair
        for gap_s, count in zip(drawing.gaps_s, counts.tolist(), strict=True)
        for pair in _pairs_apart(sample, rng, gap_s, count, drawing.motion_power, state, labels.size)
    ]


def _pairs_apart(
    sample: dict[str, Any], rng: np.random.Generator, gap_s: float, count: int, motion_power: float,
    state: np.ndarray | None, label_size: int,
) -> Iterator[FramePair]:  # fmt: skip
    """`count` pairs of one gap, in order of time."""
    frames, facts = sample["frames"], sample["json"]
    gap = gap_frames(gap_s, facts["fps"])
    starts = len(frames) - gap
    if starts < 1:
        raise ValueError(f"clip {sample['__key__']} has {len(frames)} frames; a gap of {gap} does not fit")
    chances = motion_chances(frames, gap, motion_power) if motion_power else None
    chosen = np.sort(rng.choice(starts, size=count, replace=starts < count, p=chances))
    true_gap = torch.tensor(gap / facts["fps"], dtype=torch.float32)
    unknown = torch.full((label_size,), torch.nan)
    for i in chosen.tolist():
        change = unknown if state is None else torch.from_numpy(state[i + gap] - state[i])
        yield checked(FramePair(sample["__key__"], frames[i], frames[i + gap], true_gap, facts["text"], change))


def motion_chances(frames: UInt8[Tensor, "t 3 h w"], gap: int, power: float) -> Float64[np.ndarray, "s"]:
    """How likely each start of a pair is; they add up to 1. A start's weight: its mean change of a pixel, to `power`."""
    change = (frames[gap:].short() - frames[:-gap].short()).abs().flatten(1).double().mean(1).numpy()
    weights = (change + STILL) ** power
    return weights / weights.sum()


def pair_facts(manifest: dict[str, Any], gap_s: float) -> dict[str, Any]:
    """The manifest's numbers with the true gap; ValueError when some of its clips are too short for it."""
    gap_s = gap_in(manifest, gap_s) / manifest["fps"]
    return {"fps": manifest["fps"], "image_px": manifest["image_px"], "gap_s": gap_s}


class PairData(StreamData):
    """Lightning's train and validation loaders of frame pairs; see `lapa.stream.StreamData` for the other settings.

    more_gaps_s: further gaps; each of all has an equal share. mixture: further folders, {name: {clips, weight}}; the weight
    of `folder` is 1. Labels are of the size that they have in `folder`; clips without any have none.
    """

    def __init__(
        self, *, folder: str | Path, mixture: Mapping[str, Mapping[str, Any]] | None, gap_s: float, more_gaps_s: list[float],
        motion_power: float, pairs_per_clip: int, label_percent: float, labels_of: str, **stream: Any,
    ):  # fmt: skip
        labels = label_plan(Path(folder), label_percent, labels_of)
        drawing = Drawing((gap_s, *more_gaps_s), pairs_per_clip, motion_power)
        take = partial(take_pairs, drawing=drawing, labels=labels)
        super().__init__(folder=folder, take=take, samples_per_clip=pairs_per_clip, **stream)
        folders, self.counts = weighted(mixture, self.batch_size, clips=folder)
        self.folders = {name: Path(each["clips"]) for name, each in folders.items()}
        manifests = {name: read_manifest(path) for name, path in self.folders.items()}
        sizes = {name: {"image_px": manifest["image_px"]} for name, manifest in manifests.items()}
        check_alike(sizes, words="one picture size")
        rows = {name: [pair_facts(each, gap) for gap in drawing.gaps_s] for name, each in manifests.items()}
        gaps = {"gaps_s": [row["gap_s"] for row in rows[MAIN]], "mixture": self.counts}
        self._pair_facts = rows[MAIN][0] | gaps | {"label_size": labels.size}

    def stream(self, split: str, *, start_batch: int = 0) -> Batches:
        """One folder's stream, or the mixture's."""
        return joined(
            [
                self.clip_stream(path, self.take, self.counts[name], split, start_batch)
                for name, path in self.folders.items()
            ]
        )

    def facts(self) -> dict[str, Any]:
        """Manifest numbers, the first gap's and all gaps' true lengths [s], each folder's pairs in a batch, label sizes."""
        return super().facts() | self._pair_facts


class PairLoader(DataLoader):
    """Endless batches of frame pairs, without Lightning: `for pairs in PairLoader(folder=…, gap_s=0.5, …)`.

    The same (seed, rank, world) gives the same batches with any `num_workers`, each epoch in another order; `start_batch`
    goes on there.
    """

    def __init__(
        self, *, folder: str | Path, gap_s: float, pairs_per_clip: int, split: str, val_percent: int, batch_size: int,
        clips_per_block: int, seed: int, rank: int, world: int, start_batch: int, num_workers: int,
    ):  # fmt: skip
        pair_facts(read_manifest(Path(folder)), gap_s)
        none = label_plan(Path(folder), 0, "")
        take = partial(take_pairs, drawing=Drawing((gap_s,), pairs_per_clip, motion_power=0), labels=none)
        plan = Plan(pairs_per_clip, clips_per_block, batch_size, seed, rank, world)
        stream = ClipStream(
            folder=Path(folder), take=take, split=split, val_percent=val_percent, plan=plan, start_batch=start_batch
        )
        super().__init__(Records(stream, num_workers=num_workers), batch_size=batch_size)
