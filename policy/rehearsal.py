"""Demonstrations, and clips with their codes, in; Demo out, so many of each in every batch: what was watched is rehearsed."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32

from lapa.mixture import Mixture
from lapa.records import Demo, checked
from lapa.stage import differences
from lapa.stream import Batches, StreamData, Take
from policy.data import DemoData
from policy.latents import CODES, labels_of
from policy.sidecars import read_sidecars


def take_watched(
    sample: dict[str, Any], rng: np.random.Generator, *, codes: Mapping[str, np.ndarray], steps_per_clip: int,
    camera: str, state: Float32[np.ndarray, "s"], actions: tuple[int, int],
) -> list[Demo]:  # fmt: skip
    """`steps_per_clip` labelled moments of a clip, as steps without actions [n, a]; `state` stands for the robot's."""
    key = sample["__key__"]
    if len(codes.get(key, ())) == 0:
        raise ValueError(f"clip {key!r} has no codes: it is shorter than the labels' gap, or label these clips again")
    moments = rng.choice(len(codes[key]), size=steps_per_clip, replace=len(codes[key]) < steps_per_clip)
    nothing, mask = torch.zeros(actions), torch.zeros(actions, dtype=torch.bool)
    return [
        checked(
            Demo(
                key, {camera: sample["frames"][i]}, sample["json"]["text"], torch.from_numpy(state), nothing, mask,
                torch.from_numpy(codes[key][i].astype(np.int64)),
            )
        )
        for i in moments.tolist()
    ]  # fmt: skip


def take_acted(sample: dict[str, Any], rng: np.random.Generator, *, take: Take, codes_per_step: int) -> list[Demo]:
    """What `take` takes of a demonstration, whose codes nobody knows."""
    unknown = torch.full((codes_per_step,), -1)
    return [step._replace(codes=unknown) for step in take(sample, rng)]


class Rehearsal(StreamData):
    """`batch_size` records a batch, `rehearsed` of them moments of `videos` with `codes`, the rest of demonstrations.

    For model.keep_latents: the videos' codes go on being learnt while the few demonstrations teach acting. train_percent
    is of the demonstrations alone. ValueError when the videos are not pictures as the demonstrations' only camera's.
    """

    def __init__(
        self, *, folder: str | Path, videos: str | Path, codes: str | Path, rehearsed: int, batch_size: int,
        chunk_steps: int, absolute: list[str], steps_per_clip: int, train_percent: float, **stream: Any,
    ) -> None:  # fmt: skip
        if not 0 < rehearsed < batch_size:
            raise ValueError(f"rehearsed={rehearsed} of batch_size={batch_size}: there must be some of both")
        each: dict[str, Any] = {"steps_per_clip": steps_per_clip, "chunk_steps": chunk_steps, "absolute": absolute}
        part = {"batch_size": batch_size - rehearsed, "train_percent": train_percent, **stream}
        self.demos = DemoData(folder=folder, codes=None, **each, **part)
        self.robot, self.labels = self.demos.facts(), labels_of(Path(videos), Path(codes))
        take = partial(
            take_watched, codes=read_sidecars(Path(codes), CODES), steps_per_clip=steps_per_clip,
            camera=self.robot["cameras"][0], state=np.array(self.robot["statistics"]["state"]["mean"][0], np.float32),
            actions=(chunk_steps, len(self.robot["action_names"])),
        )  # fmt: skip
        part |= {"batch_size": rehearsed, "train_percent": 100, "samples_per_clip": steps_per_clip}
        self.videos = StreamData(folder=videos, take=take, **part)
        _check_sight(self.robot, self.videos.manifest)
        self.demos.take = partial(take_acted, take=self.demos.take, codes_per_step=self.labels["codes_per_step"])
        part |= {"batch_size": batch_size, "train_percent": train_percent}
        super().__init__(folder=folder, take=self.demos.take, **part)

    def stream(self, split: str, *, start_batch: int = 0) -> Batches:
        """Both kinds of records of a split, for this rank."""
        for part in (self.demos, self.videos):
            part.trainer = self.trainer
        return Mixture([part.stream(split, start_batch=start_batch) for part in (self.demos, self.videos)])

    def facts(self) -> dict[str, Any]:
        """The demonstrations', the codes' manifest as `labels`, and each kind's records a batch."""
        counts = {"demos": self.demos.batch_size, "videos": self.videos.batch_size}
        return self.robot | {"labels": self.labels, "mixture": counts}


def _check_sight(robot: Mapping[str, Any], clips: Mapping[str, Any]) -> None:
    if len(robot["cameras"]) != 1:
        raise ValueError(f"videos have one camera; the demonstrations have {', '.join(robot['cameras'])}")
    rows = differences({"image_px": clips["image_px"]}, {"image_px": robot["image_px"]})
    if rows:
        raise ValueError(f"the videos are not as the demonstrations (videos → demonstrations): {'; '.join(rows)}")
