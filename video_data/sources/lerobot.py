"""A LeRobotDataset (folder or name on the hub) in; clips of every camera out, state and action beside them on request."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from lapa import hub
from lapa.lerobot import Episode, contents, names_of, open_dataset
from lapa.lerobot_rows import BrokenEpisode, Columns, read_columns, read_pictures
from video_data.clip import Clip, Fault
from video_data.decode import Cutting
from video_data.header import UnusableVideo
from video_data.sources.sequence import Steps, apart, check_fit, clips_of, cut_where


class View(NamedTuple):
    """What one camera saw of an episode."""

    episode: Episode
    camera: str  # short name

    def __str__(self) -> str:
        return f"episode {self.episode.number}, camera {self.camera}"


class LeRobotSource:
    """Clips of `cameras` (short names; None: all). arrays: {name in the clip: feature}; rows are those of the frames shown."""

    def __init__(
        self, *, dataset: str | None, revision: str | None, cameras: list[str] | None, embodiment: str | None,
        arrays: dict[str, str] | None, tolerance_s: float, timeout_s: float, cutting: Cutting,
    ):  # fmt: skip
        if dataset is None:
            raise ValueError("source=lerobot needs videos=FOLDER_OR_HUB_NAME")
        self.episodes: list[Episode] | None
        self.dataset, self.episodes = open_dataset(hub.fetch(dataset, kind="dataset", revision=revision))
        self.cameras = list(self.dataset.cameras) if cameras is None else cameras
        for camera in self.cameras or ["(any)"]:
            if camera not in self.dataset.cameras:
                raise ValueError(f"no camera {camera!r} in {dataset}; there are {sorted(self.dataset.cameras)}")
        for feature in (arrays or {}).values():
            names_of(self.dataset, feature)  # raises when there is none
        self.embodiment = embodiment if embodiment is not None else self.dataset.robot
        self.arrays, self.tolerance_s, self.cutting = arrays or {}, tolerance_s, check_fit(cutting)
        self.timeout_s = timeout_s

    def __getstate__(self) -> dict[str, Any]:
        """Without the episodes: a process is told of one at a time, and there may be millions."""
        return self.__dict__ | {"episodes": None}

    def items(self) -> list[View]:
        """Every episode by every camera; ValueError when there is none."""
        episodes = open_dataset(self.dataset.folder)[1] if self.episodes is None else self.episodes
        if not episodes:
            raise ValueError(f"no episodes in {self.dataset.folder}")
        return [View(episode, camera) for episode in episodes for camera in self.cameras]

    def contents(self) -> str:
        """A hash of the dataset, wherever it lies."""
        return contents(self.dataset.folder)

    def read(self, view: View) -> Iterator[Clip | Fault]:
        """The clips of one film, cut where the task changes; UnusableVideo with the reason."""
        return apart(self._clips, view, cutting=self.cutting, timeout_s=self.timeout_s)

    def _clips(self, view: View) -> Iterator[Clip | Fault]:
        try:
            features = tuple(self.arrays.values())
            columns = read_columns(self.dataset, view.episode, features, tolerance_s=self.tolerance_s)
            runs = cut_where(np.diff(columns.tasks) != 0, len(columns.tasks))
            yield from clips_of((self._steps(view, columns, run) for run in runs), self.cutting)
        except BrokenEpisode as error:
            raise UnusableVideo(str(error)) from error

    def _steps(self, view: View, columns: Columns, run: np.ndarray) -> Steps:
        times_s = columns.times_s[run]
        feature = self.dataset.cameras[view.camera]
        read = partial(read_pictures, self.dataset, view.episode, feature, tolerance_s=self.tolerance_s)
        return Steps(
            source=f"{self.embodiment}/episode_{view.episode.number:06d}",
            camera=view.camera,
            times_s=times_s,
            pictures=lambda steps: read(times_s[steps]),
            text=self.dataset.tasks[int(columns.tasks[run[0]])],
            embodiment=self.embodiment,
            arrays={name: columns.values[feature][run] for name, feature in self.arrays.items()},
        )
