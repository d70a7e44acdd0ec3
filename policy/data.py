"""Demonstration shards → Demo, and what the robot in them is."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from lapa.records import Demo, checked
from lapa.relative import absolute_of, acted_manifest, state_sources
from lapa.shards import ShardIndex, shard_paths
from lapa.stream import StreamData
from lapa.video import decode_mp4
from policy.latents import CODES, Codes, labels_of
from policy.normalise import Moments, cut_chunk, fit_statistics, take_moments
from policy.sidecars import read_sidecars

EXAMPLES = 20_000  # moments: enough for 256 quantiles of each dimension


def take_demos(
    sample: dict[str, Any], rng: np.random.Generator, *, cameras: list[str], chunk_steps: int, steps_per_clip: int,
    codes: Codes,
) -> list[Demo]:  # fmt: skip
    """`steps_per_clip` moments of a demonstration, each with the `chunk_steps` actions that follow; `codes` may be empty."""
    videos = read_videos(sample, cameras)
    states, actions = sample["state.npy"].astype(np.float32), sample["action.npy"].astype(np.float32)
    labels = _labels(codes, sample["__key__"], len(states))
    moments = rng.choice(len(states), size=steps_per_clip, replace=len(states) < steps_per_clip)
    records = []
    for i in moments.tolist():
        chunk, exist = cut_chunk(actions, i, chunk_steps)
        mask = np.repeat(exist[:, None], chunk.shape[1], axis=1)
        images = {camera: frames[i] for camera, frames in videos.items()}
        arrays = (torch.from_numpy(array) for array in (states[i], chunk, mask, labels[i]))
        records.append(checked(Demo(sample["__key__"], images, sample["json"]["text"], *arrays)))
    return records


def _labels(codes: Codes, key: str, count: int) -> np.ndarray:
    """Codes of every moment [count, k]: −1 where a demonstration ends before the labels' gap does."""
    if not codes:
        return np.zeros((count, 0), np.int64)
    if key not in codes:
        raise ValueError(f"demonstration {key!r} has no codes: label these demonstrations again")
    rows = np.full((count, codes[key].shape[1]), -1, np.int64)
    rows[: len(codes[key])] = codes[key]
    return rows


def read_videos(sample: dict[str, Any], cameras: Sequence[str]) -> dict[str, UInt8[torch.Tensor, "t 3 h w"]]:
    """Every camera's frames; the first one's are decoded already."""
    return {
        camera: sample["frames"] if i == 0 else decode_mp4(sample[f"{camera}.mp4"]) for i, camera in enumerate(cameras)
    }


def fit_moments(moments: Moments) -> dict[str, Any]:
    """Their statistics, and some of them as examples."""
    every = -(-len(moments.state) // EXAMPLES)
    return {"statistics": fit_statistics(moments), "examples": Moments(*(rows[::every] for rows in moments))}


class DemoData(StreamData):
    """Demonstrations of one robot. `absolute`: actions that are not taken relative to the state (None: its gripper).

    `codes`: the sidecar that `lapa label` wrote for these demonstrations, or None.
    """

    def __init__(
        self, *, folder: str | Path, chunk_steps: int, absolute: Sequence[str] | None, steps_per_clip: int,
        codes: str | Path | None, **stream: Any,
    ) -> None:  # fmt: skip
        manifest = acted_manifest(folder)
        self.cameras, self.chunk_steps = list(manifest["cameras"]), chunk_steps
        self.absolute = absolute_of(absolute, manifest["action_names"])
        self.labels = None if codes is None else labels_of(Path(folder), Path(codes))
        rows = {} if codes is None else read_sidecars(Path(codes), CODES)
        take = partial(
            take_demos, cameras=self.cameras, chunk_steps=chunk_steps, steps_per_clip=steps_per_clip, codes=rows
        )
        super().__init__(folder=folder, take=take, samples_per_clip=steps_per_clip, **stream)

    def facts(self) -> dict[str, Any]:
        """The robot's names, statistics of the training demonstrations, and up to `EXAMPLES` moments to fit a head on."""
        ours = {"cameras": self.cameras, "chunk_steps": self.chunk_steps, "labels": self.labels}
        return super().facts() | self.robot() | ours | fit_moments(self.moments())

    def robot(self) -> dict[str, list[str]]:
        """Names of states and actions, and which actions are absolute."""
        names = {key: list(self.manifest[key]) for key in ("state_names", "action_names")}
        return names | {"absolute": self.absolute}

    def moments(self) -> Moments:
        """All of the training demonstrations."""
        robot = self.robot()
        sources = state_sources(robot["state_names"], robot["action_names"], robot["absolute"])
        return take_moments(self._arrays(), sources=sources, chunk_steps=self.chunk_steps)

    def _arrays(self) -> Any:
        index = ShardIndex(shard_paths(self.folder))
        for i in self.training_clips(index.keys):
            sample = index[i]
            yield sample["state.npy"], sample["action.npy"]


def only_camera(robot: Mapping[str, Any]) -> str:
    """The camera whose pictures clips can stand for; ValueError where the demonstrations have several."""
    if len(robot["cameras"]) != 1:
        raise ValueError(f"clips have one camera; the demonstrations have {', '.join(robot['cameras'])}")
    return robot["cameras"][0]
