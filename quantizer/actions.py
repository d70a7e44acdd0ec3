"""Demonstration shards in; frame pairs with what the robot was told between them, relative to where it was, out."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float32, UInt8
from torch import Tensor

from lapa.relative import STILL, absolute_of, acted_manifest, state_sources
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import read_manifest
from lapa.stream import StreamData
from lapa.video import gap_frames


class ActionPair(NamedTuple):
    """Two frames and the n actions of the steps between them, in the embodiment's units, relative to the state at `before`."""

    key: str
    before: UInt8[Tensor, "*b 3 h w"]
    after: UInt8[Tensor, "*b 3 h w"]
    actions: Float32[Tensor, "*b n d"]


def relative_actions(
    state: Float32[np.ndarray, "t s"], action: Float32[np.ndarray, "t d"], *, sources: Sequence[int], gap: int
) -> Float32[np.ndarray, "m gap d"]:
    """Row i: actions i … i + gap − 1 less the state at i; m = t − gap rows, one for each pair of frames."""
    windows = np.lib.stride_tricks.sliding_window_view(action, gap, axis=0)[: len(action) - gap]
    base = np.stack([state[:, i] if i >= 0 else np.zeros(len(state), state.dtype) for i in sources], axis=1)
    return rearrange(windows, "m d n -> m n d") - base[: len(windows), None]


def true_actions(
    folder: Path, *, embodiment: str, action_names: Sequence[str], absolute: Sequence[str], gap: int
) -> dict[str, Float32[np.ndarray, "m gap d"]]:
    """{key: `relative_actions`} of clips that are demonstrations of this robot; {} when they are other clips."""
    manifest = read_manifest(folder)
    if (manifest.get("embodiment"), manifest.get("action_names")) != (embodiment, list(action_names)):
        return {}
    sources = state_sources(manifest["state_names"], action_names, absolute)
    index = ShardIndex(shard_paths(folder))
    samples = (index[i] for i in range(len(index)))
    return {
        sample["__key__"]: relative_actions(sample["state.npy"], sent(sample), sources=sources, gap=gap)
        for sample in samples if len(sample["action.npy"]) > gap
    }  # fmt: skip


def take_actions(
    sample: dict[str, Any], rng: np.random.Generator, *, gap: int, sources: list[int], pairs_per_clip: int
) -> list[ActionPair]:
    """`pairs_per_clip` pairs of a decoded demonstration, each start at most once while there are enough."""
    frames, rows = sample["frames"], _rows(sample, gap, sources)
    chosen = rng.choice(len(rows), size=pairs_per_clip, replace=len(rows) < pairs_per_clip)
    return [
        ActionPair(sample["__key__"], frames[i], frames[i + gap], torch.from_numpy(rows[i].astype(np.float32)))
        for i in chosen.tolist()
    ]


def sent(sample: dict[str, Any]) -> Float32[np.ndarray, "t d"]:
    """What the robot was told, which is what pictures show: with pushes, not only what the expert wanted."""
    return sample["executed.npy"] if "executed.npy" in sample else sample["action.npy"]


def _rows(sample: dict[str, Any], gap: int, sources: list[int]) -> np.ndarray:
    state, action = sample["state.npy"], sent(sample)
    if len(action) <= gap:
        raise ValueError(f"demonstration {sample['__key__']} has {len(action)} steps; a gap of {gap} does not fit")
    return relative_actions(state, action, sources=sources, gap=gap)


def statistics(rows: Iterable[np.ndarray]) -> dict[str, Any]:
    """Rows [m n d] of each demonstration → mean and deviation [n, d], JSON-able; one that hardly varies counts as 1."""
    table = np.concatenate(list(rows)).astype(np.float64)
    std = table.std(0)
    return {"mean": table.mean(0).tolist(), "std": np.where(std < STILL, 1.0, std).tolist()}


class ActionData(StreamData):
    """Frame pairs with actions of one robot's demonstrations. `absolute`: actions told as they are (None: its gripper)."""

    def __init__(
        self, *, folder: str | Path, gap_s: float, absolute: list[str] | None, pairs_per_clip: int, **stream: Any
    ) -> None:
        manifest = acted_manifest(folder)
        self.gap, self.names = gap_frames(gap_s, manifest["fps"]), list(manifest["action_names"])
        self.absolute = absolute_of(absolute, self.names)
        self.sources = state_sources(manifest["state_names"], self.names, self.absolute)
        take = partial(take_actions, gap=self.gap, sources=self.sources, pairs_per_clip=pairs_per_clip)
        super().__init__(folder=folder, take=take, samples_per_clip=pairs_per_clip, **stream)

    def facts(self) -> dict[str, Any]:
        """The robot's names, the true gap, and statistics of the training demonstrations."""
        names = {
            "state_names": list(self.manifest["state_names"]),
            "action_names": self.names,
            "absolute": self.absolute,
        }
        ours = names | {"gap_s": self.gap / self.manifest["fps"]}
        return super().facts() | ours | {"action_steps": self.gap, "statistics": statistics(self._training_rows())}

    def _training_rows(self) -> Iterable[np.ndarray]:
        index = ShardIndex(shard_paths(self.folder))
        for i in self.training_clips(index.keys):
            yield _rows(index[i], self.gap, self.sources)
