"""Demonstrations, and clips with their codes, in; Demo out, so many of each in every batch: what was watched is rehearsed."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from lapa.mixture import Mixture, check_alike
from lapa.records import Demo, checked
from lapa.stream import Batches, StreamData, Take
from policy.data import DemoData, only_camera
from policy.latents import CODES, Reading, Truth, labels_of, take_steps
from policy.sidecars import read_sidecars


def take_watched(
    sample: dict[str, Any],
    rng: np.random.Generator,
    *,
    take: Take,
    state: Float32[Tensor, "s"],
    actions: tuple[int, int],
) -> list[Demo]:
    """The LatentStep that `take` takes of a clip, as steps without actions [n, a]; `state` stands for the robot's."""
    nothing, mask = torch.zeros(actions), torch.zeros(actions, dtype=torch.bool)
    return [
        checked(Demo(step.key, step.images, step.text, state, nothing, mask, step.codes)) for step in take(sample, rng)
    ]


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
        own: dict[str, Any] = {"chunk_steps": chunk_steps, "absolute": absolute, "steps_per_clip": steps_per_clip}
        acted = batch_size - rehearsed
        self.demos = DemoData(folder=folder, codes=None, batch_size=acted, train_percent=train_percent, **own, **stream)
        self.robot, self.labels = self.demos.facts(), labels_of(Path(videos), Path(codes))
        reading = Reading(only_camera(self.robot), steps_per_clip, after=False, truth=Truth("", 0))
        labelled = partial(
            take_steps, codes=read_sidecars(Path(codes), CODES), gap_s=float(self.labels["gap_s"]), reading=reading
        )
        watched = partial(
            take_watched, take=labelled, state=torch.tensor(self.robot["statistics"]["state"]["mean"][0]),
            actions=(chunk_steps, len(self.robot["action_names"])),
        )  # fmt: skip
        stream["samples_per_clip"] = steps_per_clip
        self.videos = StreamData(folder=videos, take=watched, batch_size=rehearsed, train_percent=100, **stream)
        sights = {"demonstrations": self.robot, "videos": self.videos.manifest}
        check_alike(
            {name: {"image_px": facts.get("image_px")} for name, facts in sights.items()}, words="one picture size"
        )
        self.demos.take = partial(take_acted, take=self.demos.take, codes_per_step=self.labels["codes_per_step"])
        super().__init__(
            folder=folder, take=self.demos.take, batch_size=batch_size, train_percent=train_percent, **stream
        )

    def stream(self, split: str, *, start_batch: int = 0) -> Batches:
        """Both kinds of records of a split, for this rank."""
        for part in (self.demos, self.videos):
            part.trainer = self.trainer
        return Mixture([part.stream(split, start_batch=start_batch) for part in (self.demos, self.videos)])

    def facts(self) -> dict[str, Any]:
        """The demonstrations', the codes' manifest as `labels`, and each kind's records a batch."""
        counts = {"demos": self.demos.batch_size, "videos": self.videos.batch_size}
        return self.robot | {"labels": self.labels, "mixture": counts}
