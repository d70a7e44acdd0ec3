"""Clip shards in; frame pairs `gap_s` seconds apart out, several of each clip that is decoded."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from lapa.records import FramePair, checked
from lapa.stage import read_manifest
from lapa.stream import ClipStream, Plan, StreamData

GAP_SLACK = 0.2  # a gap may be this share off what was asked: clips have whole frames


def gap_frames(gap_s: float, fps: float) -> int:
    """How many frames apart two frames `gap_s` [s] apart are; ValueError when no whole number comes near."""
    gap = round(gap_s * fps)
    if gap < 1 or abs(gap / fps - gap_s) > GAP_SLACK * gap_s:
        raise ValueError(
            f"gap_s={gap_s:g} is no whole number of frames at {fps:g} Hz; choose a multiple of {1 / fps:g}"
        )
    return gap


def take_pairs(
    sample: dict[str, Any], rng: np.random.Generator, *, gap_s: float, pairs_per_clip: int
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
    return [
        checked(FramePair(sample["__key__"], frames[start], frames[start + gap], true_gap, facts["text"]))
        for start in chosen.tolist()
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

    def __init__(self, *, folder: str | Path, gap_s: float, pairs_per_clip: int, **stream: Any):
        take = partial(take_pairs, gap_s=gap_s, pairs_per_clip=pairs_per_clip)
        super().__init__(folder=folder, take=take, samples_per_clip=pairs_per_clip, **stream)
        self._pair_facts = pair_facts(self.manifest, gap_s)

    def facts(self) -> dict[str, Any]:
        """Manifest numbers and the true `gap_s`."""
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
        take = partial(take_pairs, gap_s=gap_s, pairs_per_clip=pairs_per_clip)
        plan = Plan(pairs_per_clip, clips_per_block, batch_size, seed, rank, world)
        stream = ClipStream(
            folder=Path(folder), take=take, split=split, val_percent=val_percent, plan=plan, start_batch=start_batch
        )
        super().__init__(stream, batch_size=batch_size, num_workers=num_workers)
