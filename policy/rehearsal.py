"""Demonstrations, and clips with what was read from them, in; Demo out, so many of each in every batch: a rehearsal."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from lapa.mixture import check_alike, joined
from lapa.records import Demo, checked
from lapa.stream import Batches, StreamData, Take
from policy.data import DemoData, only_camera
from policy.latents import Reading, Truth, open_source
from policy.pseudo import PseudoData


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


class WatchedData(StreamData):
    """Moments of clips with their codes, as steps of the robot of `demonstrations` that nobody acted.

    shuffled: codes of other moments, as in LatentData. ValueError when the codes are of other clips, or the clips are not
    pictures as the demonstrations' only camera's.
    """

    def __init__(
        self, *, folder: str | Path, codes: str | Path, shuffled: bool, demonstrations: DemoData, steps_per_clip: int,
        **stream: Any,
    ) -> None:  # fmt: skip
        self.demonstrations, robot = demonstrations, demonstrations.facts()
        reading = Reading(only_camera(robot), steps_per_clip, after=False, truth=Truth("", 0))
        seed = stream["seed"] if shuffled else None
        source = open_source(Path(folder), Path(codes), reading, stream["batch_size"], seed)
        self.robot = robot | {"labels": source.labels}
        take = partial(
            take_watched, take=source.take, state=torch.tensor(robot["statistics"]["state"]["mean"][0]),
            actions=(robot["chunk_steps"], len(robot["action_names"])),
        )  # fmt: skip
        super().__init__(folder=folder, take=take, samples_per_clip=steps_per_clip, **stream)
        sights = {"demonstrations": robot, "videos": self.manifest}
        check_alike(
            {name: {"image_px": each.get("image_px")} for name, each in sights.items()}, words="one picture size"
        )

    def facts(self) -> dict[str, Any]:
        """The robot's, and the codes' manifest as `labels`."""
        return self.robot


class Rehearsal(StreamData):
    """Batches of `batch_size`, `rehearsed` of them moments of `videos`, the rest of the demonstrations `videos` stand beside.

    What was learnt from the videos goes on being learnt while the few demonstrations teach acting: of WatchedData the codes
    (model.keep_latents), of PseudoData the pseudo-actions.
    """

    def __init__(
        self, *, videos: WatchedData | PseudoData, rehearsed: int, batch_size: int, steps_per_clip: int, **stream: Any
    ) -> None:
        if not 0 < rehearsed < batch_size:
            raise ValueError(f"rehearsed={rehearsed} of batch_size={batch_size}: there must be some of both")
        self.videos, self.demos, facts = videos, videos.demonstrations, videos.facts()
        self.videos.batch_size, self.demos.batch_size = rehearsed, batch_size - rehearsed
        self.labels: dict[str, Any] | None = facts["labels"]
        if self.labels:
            self.demos.take = partial(take_acted, take=self.demos.take, codes_per_step=self.labels["codes_per_step"])
        super().__init__(
            folder=self.demos.folder,
            take=self.demos.take,
            samples_per_clip=steps_per_clip,
            batch_size=batch_size,
            **stream,
        )

    def stream(self, split: str, *, start_batch: int = 0) -> Batches:
        """Both kinds of records for this rank; validation has pseudo-actions nowhere."""
        parts = (self.demos, self.videos) if split == "train" or self.labels else (self.demos,)
        for part in parts:
            part.trainer = self.trainer
        return joined([part.stream(split, start_batch=start_batch) for part in parts])

    def facts(self) -> dict[str, Any]:
        """The robot's, the codes' manifest as `labels` where there are codes, and each kind's records a batch."""
        return self.videos.facts() | {"mixture": {"demos": self.demos.batch_size, "videos": self.videos.batch_size}}
