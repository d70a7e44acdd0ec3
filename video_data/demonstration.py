"""One episode of a LeRobotDataset in; demonstrations as they lie in shards out: a film a camera, states, actions, words."""

import re
from typing import Any, NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Int

from lapa.lerobot import Dataset, Episode
from lapa.lerobot_rows import Rows, read_pictures, read_rows
from lapa.video import encode_mp4
from video_data.resample import FITS


class Form(NamedTuple):
    """What the demonstrations of a conversion look like."""

    embodiment: str
    fps: float  # [Hz]
    every: int  # rows of the dataset that make one step
    image_px: int
    fit: str
    cameras: dict[str, str]  # short name → feature; the first is the main one
    features: tuple[str, str]  # state, action
    names: tuple[list[str], list[str]]  # of their numbers
    tolerance_s: float

    def facts(self) -> dict[str, Any]:
        """What a policy must know of the robot: embodiment, names, rate, cameras."""
        facts = {"embodiment": self.embodiment, "state_names": self.names[0], "action_names": self.names[1]}
        return facts | {"fps": self.fps, "cameras": list(self.cameras), "image_px": self.image_px}


def demonstrations(dataset: Dataset, episode: Episode, form: Form) -> list[dict[str, Any]]:
    """The episode as one shard entry, or one for each task it does in turn; BrokenEpisode with the reason.

    A step is the first of its `every` rows, its action the last of theirs: where the robot was wanted to be at the
    step's end. That holds for absolute targets only.
    """
    rows = read_rows(dataset, episode, state=form.features[0], action=form.features[1], tolerance_s=form.tolerance_s)
    turns = np.split(np.arange(len(rows.tasks)), np.flatnonzero(np.diff(rows.tasks)) + 1)
    key = f"{re.sub(r'[^A-Za-z0-9-]+', '_', form.embodiment)}-{episode.number:06d}"
    keys = [key] if len(turns) == 1 else [f"{key}@{number:03d}" for number in range(len(turns))]
    return [_sample(dataset, episode, form, rows, turn, key) for turn, key in zip(turns, keys, strict=True)]


def _sample(
    dataset: Dataset, episode: Episode, form: Form, rows: Rows, turn: Int[np.ndarray, "t"], key: str
) -> dict[str, Any]:
    steps = turn[:: form.every]
    about = {"text": " ".join(dataset.tasks[int(rows.tasks[turn[0]])].split()), "fps": form.fps, "source": "lerobot"}
    about |= {"embodiment": form.embodiment, "frames": len(steps), "episode": episode.number}
    films = {camera: _film(dataset, episode, form, feature, rows, steps) for camera, feature in form.cameras.items()}
    return {
        "__key__": key,
        "json": about,
        "state.npy": rows.state[steps],
        "action.npy": rows.action[np.minimum(steps + form.every - 1, turn[-1])],
        **{"mp4" if i == 0 else f"{camera}.mp4": film for i, (camera, film) in enumerate(films.items())},
    }


def _film(
    dataset: Dataset, episode: Episode, form: Form, feature: str, rows: Rows, steps: Int[np.ndarray, "n"]
) -> bytes:
    """H.264 of the pictures at `steps`, square and of `image_px`."""
    pictures = read_pictures(dataset, episode, feature, rows.times_s[steps], tolerance_s=form.tolerance_s)
    frames = np.stack([FITS[form.fit](picture, form.image_px) for picture in pictures])
    return encode_mp4(rearrange(torch.from_numpy(frames), "t h w c -> t c h w").contiguous(), fps=form.fps)
