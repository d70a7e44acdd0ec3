"""Clips with their code sidecars → LatentStep; demonstration shards → Demo: this room's two data modules."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file

from lapa.records import Demo, LatentStep, checked
from lapa.relative import state_sources
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import manifest_hash, read_manifest
from lapa.stream import ClipStream, StreamData, share_of, split_indices
from lapa.video import decode_mp4
from policy.normalise import Moments, cut_chunk, fit_statistics, take_moments

EXAMPLES = 20_000  # moments: enough for 256 quantiles of each dimension
Codes = dict[str, np.ndarray]  # clip key → codes [t, k]; row i says what happens from frame i to frame i + gap


def read_codes(folder: Path) -> Codes:
    """All sidecars of a folder; ValueError when there is none."""
    paths = sorted(Path(folder).glob("codes-*.safetensors"))
    if not paths:
        raise ValueError(f"no codes (codes-*.safetensors) in {folder}")
    return {key: codes for path in paths for key, codes in load_file(path).items()}


def shuffle_codes(codes: Codes, seed: int) -> Codes:
    """The same rows, each at another moment of any clip: what the control arm learns. As many rows a clip as before."""
    rows = np.concatenate(list(codes.values()))
    mixed = rows[np.random.default_rng(seed).permutation(len(rows))]
    ends = np.cumsum([len(own) for own in codes.values()])
    return dict(zip(codes, np.split(mixed, ends[:-1]), strict=True))


def take_steps(
    sample: dict[str, Any], rng: np.random.Generator, *, codes: Codes, camera: str, steps_per_clip: int
) -> list[LatentStep]:
    """`steps_per_clip` labelled moments of a clip, each at most once while there are enough."""
    key, frames, text = sample["__key__"], sample["frames"], sample["json"]["text"]
    if key not in codes:
        raise ValueError(f"clip {key!r} has no codes: label these clips again")
    labels = codes[key]
    if len(labels) == 0:
        raise ValueError(f"clip {key!r} is shorter than the labels' gap: it has no codes")
    moments = rng.choice(len(labels), size=steps_per_clip, replace=len(labels) < steps_per_clip)
    return [
        checked(LatentStep(key, {camera: frames[i]}, text, torch.from_numpy(labels[i].astype(np.int64))))
        for i in moments.tolist()
    ]


class LatentData(StreamData):
    """Pictures, words and codes; `camera` is the name the policy will know the clips' only camera by.

    `shuffled`: codes that belong to other moments, for the arm that shows what codes' meaning is worth.
    """

    def __init__(
        self, *, folder: str | Path, codes: str | Path, camera: str, steps_per_clip: int, shuffled: bool, **stream: Any
    ) -> None:  # fmt: skip
        self.labels = read_manifest(Path(codes))
        _check_labels(Path(codes), self.labels, Path(folder))
        rows = read_codes(Path(codes))
        rows = shuffle_codes(rows, stream["seed"]) if shuffled else rows
        take = partial(take_steps, codes=rows, camera=camera, steps_per_clip=steps_per_clip)
        super().__init__(folder=folder, take=take, samples_per_clip=steps_per_clip, **stream)
        self.camera = camera

    def facts(self) -> dict[str, Any]:
        """The clips' numbers, and the codebook's from the labels' manifest."""
        ours = {key: self.labels[key] for key in ("num_codes", "codes_per_step", "gap_s") if key in self.labels}
        return super().facts() | ours | {"cameras": [self.camera]}


def _check_labels(codes: Path, labels: dict[str, Any], clips: Path) -> None:
    if labels["inputs"].get("clips") != manifest_hash(clips):
        raise ValueError(f"the codes in {codes} were made for other clips than {clips}; run `lapa label` on these")


def take_demos(
    sample: dict[str, Any], rng: np.random.Generator, *, cameras: list[str], chunk_steps: int, steps_per_clip: int
) -> list[Demo]:
    """`steps_per_clip` moments of a demonstration, each with the `chunk_steps` actions that follow."""
    videos = {camera: _frames(sample, camera, first=i == 0) for i, camera in enumerate(cameras)}
    states, actions = sample["state.npy"].astype(np.float32), sample["action.npy"].astype(np.float32)
    moments = rng.choice(len(states), size=steps_per_clip, replace=len(states) < steps_per_clip)
    records = []
    for i in moments.tolist():
        chunk, exist = cut_chunk(actions, i, chunk_steps)
        mask = np.repeat(exist[:, None], chunk.shape[1], axis=1)
        images = {camera: frames[i] for camera, frames in videos.items()}
        arrays = (torch.from_numpy(array) for array in (states[i], chunk, mask))
        records.append(checked(Demo(sample["__key__"], images, sample["json"]["text"], *arrays)))
    return records


def _frames(sample: dict[str, Any], camera: str, *, first: bool) -> torch.Tensor:
    return sample["frames"] if first else decode_mp4(sample[f"{camera}.mp4"])


class DemoData(StreamData):
    """Demonstrations of one robot. `absolute`: actions that are not taken relative to the state (a gripper).

    `train_percent`: how many of the training demonstrations are used, to see what few are worth; validation has all of its.
    """

    def __init__(
        self, *, folder: str | Path, chunk_steps: int, absolute: list[str], steps_per_clip: int, train_percent: float,
        **stream: Any,
    ) -> None:  # fmt: skip
        self.cameras = list(read_manifest(Path(folder))["cameras"])
        self.chunk_steps, self.absolute, self.train_percent = chunk_steps, list(absolute), train_percent
        take = partial(take_demos, cameras=self.cameras, chunk_steps=chunk_steps, steps_per_clip=steps_per_clip)
        super().__init__(folder=folder, take=take, samples_per_clip=steps_per_clip, **stream)

    def facts(self) -> dict[str, Any]:
        """The robot's names, statistics of the training demonstrations, and up to `EXAMPLES` moments to fit a head on."""
        names = {key: list(self.manifest[key]) for key in ("state_names", "action_names")}
        kept = [name for name in self.absolute if name in names["action_names"]]
        sources = state_sources(names["state_names"], names["action_names"], kept)
        ours = {"cameras": self.cameras, "chunk_steps": self.chunk_steps, "absolute": kept}
        moments = take_moments(self._arrays(), sources=sources, chunk_steps=self.chunk_steps)
        every = -(-len(moments.state) // EXAMPLES)
        examples = Moments(*(rows[::every] for rows in moments))
        return super().facts() | names | ours | {"statistics": fit_statistics(moments), "examples": examples}

    def stream(self, split: str, *, start_batch: int = 0) -> ClipStream:
        """The stream of a split for this rank; ValueError when the share has fewer demonstrations than there are ranks."""
        whole = super().stream(split, start_batch=start_batch)
        if split == "train":
            whole.clips = share_of(whole.clips, whole.index.keys, percent=self.train_percent)
            if len(whole.clips) < whole.plan.world:
                raise ValueError(
                    f"train_percent={self.train_percent:g} leaves {len(whole.clips)} demonstrations: too few"
                )
        return whole

    def _arrays(self) -> Any:
        index = ShardIndex(shard_paths(self.folder))
        training = split_indices(index.keys, split="train", val_percent=self.val_percent)
        for i in share_of(training, index.keys, percent=self.train_percent):
            sample = index[i]
            yield sample["state.npy"], sample["action.npy"]
