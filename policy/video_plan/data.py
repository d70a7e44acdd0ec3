"""Clips (or demonstrations, read as clips) in; moments with the pictures that follow them out."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from lapa.mixture import MAIN, check_alike, joined, weighted
from lapa.records import Images
from lapa.relative import STILL
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import read_manifest
from lapa.stream import Batches, StreamData, read_clip
from lapa.video import gap_in

MEASURED_CLIPS = 64  # enough to know by how much pictures change
MOMENTS = 4  # of a clip whose changes are looked at


class PlanStep(NamedTuple):
    """What is seen, the words, and the n pictures that follow, one every gap; `exist` is false past the clip's end."""

    key: str
    images: Images
    text: str
    frames: UInt8[Tensor, "*b n 3 h w"]
    exist: Bool[Tensor, "*b n"]


def take_plans(
    sample: dict[str, Any], rng: np.random.Generator, *, camera: str, gap: int, num_frames: int, steps_per_clip: int
) -> list[PlanStep]:
    """`steps_per_clip` moments of a decoded clip that at least one picture follows, each at most once while there are
    enough; ValueError when the clip is shorter than a gap of `gap` frames."""
    count = len(sample["frames"])
    if count <= gap:
        raise ValueError(f"clip {sample['__key__']!r} has {count} frames; a gap of {gap} does not fit")
    moments = rng.choice(count - gap, size=steps_per_clip, replace=count - gap < steps_per_clip)
    return [plan_step(sample, i, camera=camera, gap=gap, num_frames=num_frames) for i in moments.tolist()]


def plan_step(sample: dict[str, Any], i: int, *, camera: str, gap: int, num_frames: int) -> PlanStep:
    """Frame `i` of a decoded clip and what follows; black where the clip has ended."""
    frames, places = sample["frames"], i + gap * (1 + torch.arange(num_frames))
    exist = places < len(frames)
    following = torch.where(exist[:, None, None, None], frames[places * exist], 0)
    return PlanStep(sample["__key__"], {camera: frames[i]}, sample["json"]["text"], following, exist)


class PlanData(StreamData):
    """Pictures, words and what follows. camera: the name of the clips' only camera; demonstrations name their first one.

    mixture: further folders, {name: {clips, weight}}; the weight of `folder` is 1. basis: a folder of which nothing is
    learnt, but whose changes the pictures' components must be able to say as well: the robot's that will act; or None.
    """

    def __init__(
        self, *, folder: str | Path, mixture: Mapping[str, Mapping[str, Any]] | None, basis: str | Path | None, camera: str,
        gap_s: float, num_frames: int, steps_per_clip: int, **stream: Any,
    ) -> None:  # fmt: skip
        folders, self.counts = weighted(mixture, stream["batch_size"], clips=folder)
        self.folders = {name: Path(each["clips"]) for name, each in folders.items()}
        self.shown = self.folders | ({"basis": Path(basis)} if basis else {})
        manifests = {name: read_manifest(path) for name, path in self.shown.items()}
        sights = {name: _sight(manifest) for name, manifest in manifests.items()}
        check_alike(sights, words="one picture size and rate")
        self.camera, self.num_frames = manifests[MAIN].get("cameras", [camera])[0], num_frames
        self.gap = min(gap_in(manifests[name], gap_s) for name in self.folders)  # all alike, as their rates are
        take = partial(
            take_plans, camera=self.camera, gap=self.gap, num_frames=num_frames, steps_per_clip=steps_per_clip
        )
        super().__init__(folder=folder, take=take, samples_per_clip=steps_per_clip, **stream)

    def stream(self, split: str, *, start_batch: int = 0) -> Batches:
        """One folder's stream, or the mixture's."""
        return joined(
            [
                self.clip_stream(path, self.take, self.counts[name], split, start_batch)
                for name, path in self.folders.items()
            ]
        )

    def facts(self) -> dict[str, Any]:
        """The clips' numbers, the true gap [s], `scale`: by how much training pictures change in each number of gaps, and
        `changes`: a function that gives about so many of these changes, of every folder alike."""
        ours = {"gap_s": self.gap / self.manifest["fps"], "num_frames": self.num_frames, "cameras": [self.camera]}
        ahead = {"gap": self.gap, "num_frames": self.num_frames}
        scale = change_scale(self._clips(self.folders[MAIN], MEASURED_CLIPS), **ahead)

        def changes(count: int) -> Float[Tensor, "m 3 h w"]:
            clips = -(-count // (self.num_frames * MOMENTS * len(self.shown)))
            chosen = (frames for folder in self.shown.values() for frames in self._clips(folder, clips))
            return sample_changes(chosen, scale=scale, **ahead)

        return super().facts() | ours | {"scale": scale, "changes": changes}

    def _clips(self, folder: Path, count: int) -> Iterator[UInt8[Tensor, "t 3 h w"]]:
        """Frames of up to `count` training clips of a folder, evenly chosen."""
        index = ShardIndex(shard_paths(folder))
        training = self.training_clips(index.keys)
        if not len(training):
            raise ValueError(f"{folder} has no clip to train on: all {len(index)} are held out (data.val_percent)")
        for i in training[:: -(-len(training) // count)]:
            yield read_clip(index, i)["frames"]


def change_scale(clips: Iterator[UInt8[Tensor, "t 3 h w"]], *, gap: int, num_frames: int) -> list[float]:
    """Root mean square change of a pixel, as a share of the full brightness, after 1 … `num_frames` gaps.

    ValueError when no clip is long enough, or nothing moves.
    """
    sums = np.zeros((num_frames, 2))
    for frames in clips:
        shares_of_full = frames.float() / 255
        for i in range(num_frames):
            changes = shares_of_full[gap * (i + 1) :] - shares_of_full[: -gap * (i + 1)]
            sums[i] += (float(changes.square().sum()), changes.numel())
    if (sums[:, 1] == 0).any():
        raise ValueError(f"no clip is longer than num_frames={num_frames} gaps of {gap} frames")
    scale = np.sqrt(sums[:, 0] / sums[:, 1])
    if (scale < STILL).any():
        raise ValueError("nothing moves in these clips: there is nothing to imagine")
    return scale.tolist()


def sample_changes(
    clips: Iterator[UInt8[Tensor, "t 3 h w"]], *, gap: int, num_frames: int, scale: Sequence[float]
) -> Float[Tensor, "m 3 h w"]:
    """What changes within 1 … `num_frames` gaps at `MOMENTS` moments of each clip, as shares of that number's `scale`."""
    found = []
    for frames in clips:
        for moment in np.linspace(0, len(frames) - 1 - gap, MOMENTS).round().astype(int).tolist():
            following = frames[moment + gap :: gap][:num_frames]
            units = 255 * torch.tensor(scale[: len(following)])[:, None, None, None]
            found.append((following.float() - frames[moment].float()) / units)
    return torch.cat(found)


def _sight(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {key: manifest.get(key) for key in ("image_px", "fps")}
