"""What the sources' tests share: a film of a moving square, a source made as the door makes it, everything it gives."""

from multiprocessing.reduction import ForkingPickler
from typing import Any

import numpy as np

from lapa.config import compose
from lapa.stage import read_manifest
from video_data.build import main, make_source
from video_data.clip import Clip
from video_data.header import UnusableVideo

SIZE = 8  # px; the square's side


def film(steps: int, *, size: tuple[int, int] = (32, 48), base: int = 40) -> np.ndarray:
    """uint8 [t, h, w, 3]; a bright square moves by 2 px a step, and the grey of the picture tells the step: base + 2 i."""
    pictures = np.empty((steps, *size, 3), dtype=np.uint8)
    for step, picture in enumerate(pictures):
        picture[:] = base + 2 * step
        left = 8 + 2 * step % (size[1] - 16 - SIZE)
        picture[4 : 4 + SIZE, left : left + SIZE] = (250, 220, 200)
    return pictures


def step_of(clip: Clip, frame: int, base: int = 40) -> float:
    """Which step of `film` a frame of a clip shows, by its grey in the lower half."""
    return (float(clip.frames[frame, :, -8:].float().mean()) - base) / 2


def source(name: str, videos: Any, *more: str) -> Any:
    """`source=name` as `lapa build` makes it, small, after the way to a worker process."""
    made = make_source(
        compose("build", [f"source={name}", f"videos='{videos}'", "out=x", "image_px=16", "max_clip_s=2", *more])
    )
    return ForkingPickler.loads(ForkingPickler.dumps(made))


def built(name: str, videos: Any, out: Any, *more: str) -> dict[str, Any]:
    """What `lapa build source=name` writes down of itself, in this process."""
    main(compose("build", [f"source={name}", f"videos={videos}", f"out={out}", "num_workers=0", *more]))
    return read_manifest(out)


def read_all(made: Any) -> tuple[list[Clip], dict[str, str]]:
    """All clips, and {item or part: reason} of what could not be used."""
    clips: list[Clip] = []
    faults: dict[str, str] = {}
    for item in made.items():
        try:
            for clip in made.read(item):
                if isinstance(clip, Clip):
                    clips.append(clip)
                else:
                    faults[clip.item] = clip.reason
        except UnusableVideo as error:
            faults[str(item)] = str(error)
    return clips, faults
