"""Folders of demonstrations, of one robot or of several, in; Demo out, so many of each folder in every batch."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lapa.mixture import Mixture, check_alike, weighted
from lapa.records import Demo, checked
from lapa.relative import acted_manifest, share_absolute
from lapa.stream import Batches, StreamData, Take
from policy.bodies import Body, bodies_of, join, tell
from policy.data import DemoData, fit_moments
from policy.normalise import Moments

MAIN = "demos"  # the name, in a mixture, of the folder that every training has


def take_told(
    sample: dict[str, Any], rng: np.random.Generator, *, take: Take, named: str | None, body: Body | None
) -> list[Demo]:
    """What `take` takes, for the robot `named` in words, its numbers as wide as the widest robot's."""
    demos = take(sample, rng)
    told = demos if named is None else [demo._replace(text=tell(demo.text, named)) for demo in demos]
    return told if body is None else [widen(demo, body) for demo in told]


def widen(demo: Demo, body: Body) -> Demo:
    """A step of one robot as one of all."""
    actions, mask = (body.widen_actions(values) for values in (demo.actions, demo.action_mask))
    return checked(demo._replace(state=body.widen_state(demo.state), actions=actions, action_mask=mask))


class DemoMixture(StreamData):
    """Several folders of demonstrations; statistics are each robot's own, of all its folders together.

    mixture: besides `folder`, whose weight is 1, {name: {demos, weight, codes}}; codes may be left out where `codes` is
    None. name_robot: instructions say whom they are for; the columns behind the state always do (policy/bodies.py).
    `each`: of every folder, as DemoData has it.
    """

    def __init__(
        self, *, folder: str | Path, codes: str | Path | None, mixture: Mapping[str, Mapping[str, Any]], name_robot: bool,
        batch_size: int, steps_per_clip: int, absolute: Sequence[str] | None, **each: Any,
    ) -> None:  # fmt: skip
        folders, counts = weighted(mixture, batch_size, name=MAIN, demos=folder, codes=codes)
        kept = share_absolute(
            absolute, {name: acted_manifest(one["demos"])["action_names"] for name, one in folders.items()}
        )
        self.parts = {
            name: DemoData(
                folder=one["demos"], codes=one.get("codes"), batch_size=counts[name], steps_per_clip=steps_per_clip,
                absolute=kept[name], **each,
            )
            for name, one in folders.items()
        }  # fmt: skip
        check_alike({name: _shared(part) for name, part in self.parts.items()}, words="one sight, rate and codebook")
        main, self.name_robot = self.parts[MAIN], name_robot
        stream = {key: value for key, value in each.items() if key != "chunk_steps"}
        super().__init__(
            folder=folder, take=main.take, samples_per_clip=steps_per_clip, batch_size=batch_size, **stream
        )
        self.robots = _by_robot(self.parts)
        self._tell()

    def stream(self, split: str, *, start_batch: int = 0) -> Batches:
        """All folders' records of a split, for this rank."""
        for part in self.parts.values():
            part.trainer = self.trainer
        return Mixture([part.stream(split, start_batch=start_batch) for part in self.parts.values()])

    def facts(self) -> dict[str, Any]:
        """As DemoData's, of a robot that stands for all where there are several, and each folder's records a batch."""
        main = self.parts[MAIN]
        shared = {"cameras": main.cameras, "chunk_steps": main.chunk_steps, "labels": main.labels}
        counts = {name: part.batch_size for name, part in self.parts.items()}
        shared |= {"name_robot": self.name_robot, "mixture": counts}
        robots = {name: parts[0].robot() | fit_moments(_moments(parts)) for name, parts in self.robots.items()}
        return super().facts() | shared | (join(robots) if len(robots) > 1 else next(iter(robots.values())))

    def _tell(self) -> None:
        """Every folder gives records that can stand beside the others' in a batch."""
        bodies = bodies_of({name: parts[0].robot() for name, parts in self.robots.items()})
        for name, parts in self.robots.items():
            told = partial(
                take_told, named=name if self.name_robot else None, body=bodies[name] if len(bodies) > 1 else None
            )
            for part in parts:
                part.take = partial(told, take=part.take)


def _shared(part: DemoData) -> dict[str, Any]:
    """What all folders must agree on."""
    labels = part.labels or {}
    facts = {"cameras": part.cameras} | {key: part.manifest.get(key) for key in ("image_px", "fps")}
    return facts | {key: labels.get(key) for key in ("num_codes", "codes_per_step", "gap_s")}


def _by_robot(parts: Mapping[str, DemoData]) -> dict[str, list[DemoData]]:
    """Folders of each robot; ValueError when two of one robot have other names of joints."""
    robots: dict[str, dict[str, DemoData]] = {}
    for name, part in parts.items():
        robots.setdefault(part.manifest["embodiment"], {})[name] = part
    for own in robots.values():
        check_alike({name: part.robot() for name, part in own.items()}, words="one set of joints a robot")
    return {embodiment: list(own.values()) for embodiment, own in robots.items()}


def _moments(parts: list[DemoData]) -> Moments:
    return Moments(*(np.concatenate(column) for column in zip(*(part.moments() for part in parts), strict=True)))
