"""Clips with their code sidecars in; LatentStep out, of one folder or a weighted mixture of several, at one gap or more."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lapa.mixture import MAIN, Grouped, check_alike, joined, weighted
from lapa.records import LatentStep, checked
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import manifest_hash, read_manifest
from lapa.stream import Batches, StreamData, Take
from policy.sidecars import read_sidecars, shuffled

Codes = Mapping[str, np.ndarray]  # clip key → codes [t, k]; row i says what happens from frame i to frame i + gap

CODES = "codes"  # what their sidecars are called
SHARED = ("num_codes", "codes_per_step")  # what labels of one codebook agree on


class Source(NamedTuple):
    """A folder of clips, its labels' manifest, the step reader, and how many of its records stand in a batch."""

    folder: Path
    labels: dict[str, Any]
    take: Take
    batch_size: int


class Truth(NamedTuple):
    """The array of true states whose change a step tells, `size` numbers of it; "", 0: none."""

    name: str
    size: int


class Reading(NamedTuple):
    """How a clip becomes steps. `after`: with the later picture."""

    camera: str
    steps_per_clip: int
    after: bool
    truth: Truth


def take_steps(
    sample: dict[str, Any], rng: np.random.Generator, *, codes: Codes, gap_s: float, reading: Reading
) -> list[LatentStep]:
    """`steps_per_clip` labelled moments of a clip, each at most once while there are enough."""
    key, count = sample["__key__"], reading.steps_per_clip
    if key not in codes:
        raise ValueError(f"clip {key!r} has no codes: label these clips again")
    if len(codes[key]) == 0:
        raise ValueError(f"clip {key!r} is shorter than the labels' gap: it has no codes")
    labels = torch.from_numpy(codes[key].astype(np.int64))
    moments = rng.choice(len(labels), size=count, replace=len(labels) < count)
    return [_step(sample, labels, i, gap_s, reading) for i in moments.tolist()]


def _step(sample: dict[str, Any], labels: Tensor, i: int, gap_s: float, reading: Reading) -> LatentStep:
    frames = sample["frames"]
    gap = len(frames) - len(labels)  # a sidecar has a row for every frame that is followed by one `gap` later
    before = labels[i - gap] if i >= gap else torch.full_like(labels[i], -1)
    after = frames[i + gap] if reading.after else frames[i, :, :0, :0]
    seconds = torch.tensor(gap_s, dtype=torch.float32)
    change = _change(sample, i, i + gap, reading.truth)
    step = (sample["__key__"], {reading.camera: frames[i]}, sample["json"]["text"], labels[i])
    return checked(LatentStep(*step, seconds, before, after, change))


def _change(sample: dict[str, Any], start: int, end: int, truth: Truth) -> Tensor:
    state = sample.get(truth.name)
    if state is None or state.shape[1] != truth.size:
        return torch.full((truth.size,), torch.nan)
    return torch.from_numpy(np.float32(state[end] - state[start]))


def truth_of(clips: Path, names: Sequence[str]) -> Truth:
    """The first of `names` that the folder's first clip has; other clips may lack it."""
    sample = ShardIndex(shard_paths(clips)[:1])[0]
    return next((Truth(name, sample[name].shape[1]) for name in names if name in sample), Truth("", 0))


class LatentData(StreamData):
    """Pictures, words and codes; `camera` is the name the policy will know the clips' only camera by.

    mixture: further folders, {name: {clips, codes, weight}}; the weight of `folder` is 1, and the same clips may come
    again with codes of another gap. shuffled: codes that belong to other moments, for the arm that shows what codes'
    meaning is worth. group_by_length: texts of like length share a batch.
    """

    def __init__(
        self, *, folder: str | Path, codes: str | Path, mixture: Mapping[str, Mapping[str, Any]] | None, camera: str,
        steps_per_clip: int, after: float, truths: list[str], shuffled: bool, group_by_length: bool, **stream: Any,
    ) -> None:  # fmt: skip
        reading = Reading(camera, steps_per_clip, bool(after), truth_of(Path(folder), truths))
        folders, counts = weighted(mixture, stream["batch_size"], clips=folder, codes=codes)
        seed = stream["seed"] if shuffled else None
        self.sources = {
            name: open_source(Path(each["clips"]), Path(each["codes"]), reading, counts[name], seed)
            for name, each in folders.items()
        }
        main = self.sources[MAIN]
        super().__init__(folder=folder, take=main.take, samples_per_clip=steps_per_clip, **stream)
        check_alike(
            {name: _codebook(each) for name, each in self.sources.items()}, words="one codebook and one picture size"
        )
        self.camera, self.group_by_length = camera, group_by_length

    def stream(self, split: str, *, start_batch: int = 0) -> Batches:
        """One folder's stream, or the mixture's."""
        stream = joined(
            [
                self.clip_stream(each.folder, each.take, each.batch_size, split, start_batch)
                for each in self.sources.values()
            ]
        )
        if not self.group_by_length:
            return stream
        window = max(1, self.clips_per_block * self.samples_per_clip // self.batch_size)
        return Grouped(stream, window=window, length=text_length)

    def facts(self) -> dict[str, Any]:
        """The clips' numbers, the codebook's from the labels' manifest, all gaps [s], each folder's records a batch."""
        labels = self.sources[MAIN].labels
        ours = {key: labels[key] for key in (*SHARED, "gap_s") if key in labels}
        gaps_s = list(dict.fromkeys(float(each.labels["gap_s"]) for each in self.sources.values()))
        counts = {name: each.batch_size for name, each in self.sources.items()}
        ours |= {"cameras": [self.camera], "gaps_s": gaps_s, "quantizer": labels["inputs"].get("quantizer")}
        return super().facts() | ours | {"mixture": counts}


def text_length(step: LatentStep) -> int:
    """Characters: near enough to tokens, and every backbone's tokenizer stays out of the loader."""
    return len(step.text)


def open_source(clips: Path, codes: Path, reading: Reading, batch_size: int, seed: int | None) -> Source:
    """Read a folder's sidecars, shuffled by `seed` unless that is None; ValueError when they are of other clips."""
    labels = labels_of(clips, codes)
    rows = read_sidecars(codes, CODES)
    rows = rows if seed is None else shuffled(rows, seed)
    take = partial(take_steps, codes=rows, gap_s=float(labels["gap_s"]), reading=reading)
    return Source(clips, labels, take, batch_size)


def labels_of(clips: Path, codes: Path) -> dict[str, Any]:
    """The manifest of a sidecar; ValueError when it is of other clips."""
    labels = read_manifest(codes)
    if labels["inputs"].get("clips") != manifest_hash(clips):
        raise ValueError(f"the labels in {codes} were made for other clips than {clips}; run `lapa label` on these")
    return labels


def _codebook(source: Source) -> dict[str, Any]:
    found = {key: source.labels.get(key) for key in SHARED} | {"quantizer": source.labels["inputs"].get("quantizer")}
    return found | {"image_px": read_manifest(source.folder).get("image_px")}
