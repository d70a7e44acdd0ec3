"""Clips, the actions that an inverse dynamics model saw in them, and a robot's demonstrations in; Demo of that robot out."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from lapa.records import Demo, checked
from lapa.relative import state_sources
from lapa.stage import differences, read_manifest
from lapa.stream import ClipStream, StreamData, Take
from policy.data import DemoData, only_camera
from policy.latents import labels_of
from policy.normalise import cut_chunk
from policy.sidecars import read_sidecars

ROBOT = ("embodiment", "action_names", "absolute")  # what labels and demonstrations must agree on
TRUTH = ("embodiment", "state_names", "action_names", "fps")  # clips that agree on these tell the robot's true actions


class Judged(NamedTuple):
    """A step of pseudo-actions, and the true ones relative to the same state; NaN where the clips do not tell them."""

    step: Demo
    truth: Float32[Tensor, "*b n d"]


class Reading(NamedTuple):
    """How a clip becomes steps. rows: {clip key: pseudo-actions [t − gap, m, d], each m relative to its moment's state}.

    state: stands for the state of the robot, which no clip tells. sources: of each action, the state it is relative to, or
    −1. told: whether clips have the robot's true state and actions.
    """

    rows: Mapping[str, np.ndarray]
    camera: str
    state: Float32[np.ndarray, "s"]
    sources: list[int]
    chunk_steps: int
    steps_per_clip: int
    told: bool


def take_steps(sample: dict[str, Any], rng: np.random.Generator, *, reading: Reading) -> list[Demo]:
    """`steps_per_clip` labelled moments of a clip, each at most once while there are enough."""
    return [judged.step for judged in take_judged(sample, rng, reading=reading)]


def take_judged(sample: dict[str, Any], rng: np.random.Generator, *, reading: Reading) -> list[Judged]:
    """The same moments with the true actions."""
    key, count = sample["__key__"], reading.steps_per_clip
    if len(reading.rows.get(key, ())) == 0:
        raise ValueError(
            f"clip {key!r} has no pseudo-actions: it is shorter than their gap, or label these clips again"
        )
    moments = rng.choice(len(reading.rows[key]), size=count, replace=len(reading.rows[key]) < count)
    return [Judged(_step(sample, i, reading), _truth(sample, i, reading)) for i in moments.tolist()]


def _step(sample: dict[str, Any], i: int, reading: Reading) -> Demo:
    """The mask is false past what a label tells, where a chunk is longer."""
    chunk, exist = cut_chunk(reading.rows[sample["__key__"]][i], 0, reading.chunk_steps)
    actions, images = chunk + _base(reading.state, reading), {reading.camera: sample["frames"][i]}
    mask = np.repeat(exist[:, None], chunk.shape[1], axis=1)
    arrays = (torch.from_numpy(array) for array in (reading.state, actions, mask, np.zeros(0, np.int64)))
    return checked(Demo(sample["__key__"], images, sample["json"]["text"], *arrays))


def _truth(sample: dict[str, Any], i: int, reading: Reading) -> Float32[Tensor, "n d"]:
    if not reading.told:
        return torch.full((reading.chunk_steps, len(reading.sources)), torch.nan)
    told = sample.get("executed.npy", sample["action.npy"])  # what labels tell is what was sent, with pushes and all
    chunk, _ = cut_chunk(told.astype(np.float32), i, reading.chunk_steps)
    return torch.from_numpy(chunk - _base(sample["state.npy"][i], reading) + _base(reading.state, reading))


def _base(state: Float32[np.ndarray, "s"], reading: Reading) -> Float32[np.ndarray, "d"]:
    """What actions are relative to."""
    return np.array([state[i] if i >= 0 else 0.0 for i in reading.sources], np.float32)


class PseudoData(StreamData):
    """Moments of clips as if the robot of `demonstrations` had been seen: its names, its statistics, its mean as state.

    folder: clips of any body. actions: what `lapa label` wrote for them with an inverse dynamics model of that robot.
    """

    def __init__(
        self, *, folder: str | Path, actions: str | Path, demonstrations: DemoData, steps_per_clip: int, **stream: Any
    ) -> None:
        self.demonstrations, self.robot = demonstrations, demonstrations.facts()
        clips, labels = read_manifest(Path(folder)), labels_of(Path(folder), Path(actions))
        _check_robot(self.robot, labels, clips)
        reading = Reading(
            rows=read_sidecars(Path(actions), "actions"), camera=self.robot["cameras"][0],
            state=np.array(self.robot["statistics"]["state"]["mean"][0], np.float32),
            sources=state_sources(*(self.robot[key] for key in ("state_names", "action_names", "absolute"))),
            chunk_steps=self.robot["chunk_steps"], steps_per_clip=steps_per_clip,
            told=all(clips.get(key) == self.robot[key] for key in TRUTH),
        )  # fmt: skip
        self.take_judged: Take = partial(take_judged, reading=reading)
        take = partial(take_steps, reading=reading)
        super().__init__(folder=folder, take=take, samples_per_clip=steps_per_clip, **stream)

    def facts(self) -> dict[str, Any]:
        """The robot's, and nothing of the clips'."""
        return self.robot

    def stream(self, split: str, *, start_batch: int = 0) -> ClipStream:
        """Demo to train on, Judged to validate with."""
        take = self.take if split == "train" else self.take_judged
        return self.clip_stream(self.folder, take, self.batch_size, split, start_batch)


def _check_robot(robot: Mapping[str, Any], labels: Mapping[str, Any], clips: Mapping[str, Any]) -> None:
    """ValueError when the labels are no actions, or of another robot, or the clips' pictures are not as the robot's."""
    if labels["record"] != "PseudoAction":
        raise ValueError(f"these labels are {labels['record']}; label the clips with an inverse dynamics model")
    only_camera(robot)
    theirs = {key: labels[key] for key in ROBOT} | {"fps": labels["action_hz"], "image_px": clips["image_px"]}
    rows = differences(theirs, {key: robot[key] for key in theirs})
    if rows:
        raise ValueError(f"the demonstrations are of another robot (labels → demonstrations): {'; '.join(rows)}")
