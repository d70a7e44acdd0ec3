"""Simulated episodes in, clips without any action out: the demo's stand-in for people's videos."""

from collections.abc import Iterator
from typing import Any

import torch
from einops import rearrange

from video_data.clip import Clip, clip_key
from video_data.header import UnusableVideo
from video_data.resample import even_cuts


class SimulatedSource:
    """Clips of `episodes`, an object that Hydra builds: `items()`, `contents() -> str` (a hash of what is shown) and
    `watch(item) -> (frames uint8 [t, h, w, 3], text, motion float32 [t, m])`, which raises ValueError when an episode
    cannot be shown. The body's motion rides along as the array "motion", for measuring only.
    """

    def __init__(self, *, episodes: Any, embodiment: str, fps: float, max_clip_s: float):
        self.episodes, self.embodiment, self.fps, self.max_clip_s = episodes, embodiment, fps, max_clip_s

    def items(self) -> list[Any]:
        """All episodes; ValueError when there is none."""
        items = list(self.episodes.items())
        if not items:
            raise ValueError("no simulated episodes: the task library or the number of videos is empty")
        return items

    def contents(self) -> str:
        """A hash of the tasks: they and the settings decide everything that comes out."""
        return self.episodes.contents()

    def read(self, item: Any) -> Iterator[Clip]:
        """The clips of one episode; UnusableVideo when the episode cannot be shown."""
        try:
            pictures, text, motion = self.episodes.watch(item)
        except ValueError as error:
            raise UnusableVideo(str(error)) from error
        name = f"simulated/{item}"
        frames = rearrange(torch.from_numpy(pictures), "t h w c -> t c h w").contiguous()
        cuts = even_cuts(len(frames), max(2, round(self.max_clip_s * self.fps)))
        for number, (start, end) in enumerate(cuts):
            yield Clip(
                key=clip_key(name, number),
                frames=frames[start:end],
                fps=self.fps,
                text=text,
                source=name,
                embodiment=self.embodiment,
                start_s=start / self.fps,
                arrays={"motion": motion[start:end]},
            )
