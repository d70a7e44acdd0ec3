"""Steps with a picture each (image files, a robot's episode) in; clips of one rate and size, with arrays of the steps, out."""

import importlib
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, Float32, Int
from PIL import Image, ImageOps

from video_data.clip import Clip, Fault, clip_key
from video_data.decode import Cutting
from video_data.decoder import shared_decoder
from video_data.header import UnusableVideo
from video_data.resample import FITS, Picture, check_side, even_cuts, nearest_frames

EIGHT_BITS = (
    "1",
    "L",
    "LA",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBX",
    "CMYK",
    "YCbCr",
)  # PIL's modes; others are depth or maps


class Steps(NamedTuple):
    """A film without a cut, before it is brought to one rate and size."""

    source: str  # the episode: its cameras share it, and stay on one side of a split
    camera: str  # "" where there is only one
    times_s: Float[np.ndarray, "n"]  # [s] in the episode, rising
    pictures: Callable[[Int[np.ndarray, "k"]], Iterator[Picture]]  # of rising step numbers, each at its own size
    text: str
    embodiment: str
    arrays: dict[str, Float32[np.ndarray, "n m"]]


def check_fit(cutting: Cutting) -> Cutting:
    """`cutting`; ValueError when no film could be cut so."""
    if cutting.fit not in FITS:
        raise ValueError(f"no source.cutting.fit={cutting.fit!r}; there are {', '.join(FITS)}")
    check_side(cutting.image_px, of="clips")
    if not cutting.fps > 0:
        raise ValueError(f"fps={cutting.fps}: pictures a second, above 0")
    return cutting


def apart(
    work: Callable[..., Iterator[Clip | Fault]], *args: Any, cutting: Cutting, timeout_s: float
) -> Iterator[Clip | Fault]:
    """What `work(*args)` yields, in the decoding process: libraries that read pictures and tables crash and hang too."""
    for found in shared_decoder(timeout_s).run(_as_arrays, work, args, memory_gb=cutting.memory_gb):
        yield found if isinstance(found, Fault) else found._replace(frames=torch.from_numpy(found.frames))


def _as_arrays(work: Callable[..., Iterator[Clip | Fault]], args: tuple[Any, ...]) -> Iterator[Any]:
    """Tensors would go by shared memory, which a killed process leaves behind."""
    for found in work(*args):
        yield found if isinstance(found, Fault) else found._replace(frames=found.frames.numpy())  # type: ignore[arg-type]


def clips_of(films: Iterable[Steps], cutting: Cutting) -> Iterator[Clip | Fault]:
    """The clips of films that follow one another, numbered through; a film of one picture is a fault.

    UnusableVideo when a picture cannot be read, or the steps are slower than a video is.
    """
    number = 0
    for film in films:
        if len(film.times_s) < 2:
            yield Fault(f"{film.source} {film.camera}, {film.times_s[0]:.1f} s", "is a single picture between two cuts")
            continue
        for clip in _clips(film, cutting, number):
            number += 1
            yield clip


def _clips(film: Steps, cutting: Cutting, number: int) -> Iterator[Clip]:
    rate = (len(film.times_s) - 1) / (film.times_s[-1] - film.times_s[0])
    if rate < cutting.min_source_fps:
        raise UnusableVideo(
            f"has {rate:.2g} pictures a second, min_source_fps is {cutting.min_source_fps:g}: a slide show"
        )
    shown = nearest_frames(film.times_s, cutting.fps)
    pictures = _small(film, shown, cutting)
    for start, end in even_cuts(len(shown), max(2, round(cutting.max_clip_s * cutting.fps))):
        frames = torch.from_numpy(np.stack([next(pictures) for _ in range(start, end)]))
        yield Clip(
            key=clip_key(film.source, number)
            + re.sub(r"[^A-Za-z0-9\-]+", "_", f"-{film.camera}" if film.camera else ""),
            frames=rearrange(frames, "t h w c -> t c h w").contiguous(),
            fps=cutting.fps,
            text=" ".join(film.text.split()),
            source=film.source,
            embodiment=film.embodiment,
            start_s=float(film.times_s[0]) + start / cutting.fps,
            arrays={name: values[shown[start:end]] for name, values in film.arrays.items()},
        )
        number += 1


def _small(film: Steps, shown: Int[np.ndarray, "t"], cutting: Cutting) -> Iterator[Picture]:
    """The small picture of each step that is shown; one that is shown repeatedly is read once."""
    steps, counts = np.unique(shown, return_counts=True)
    for picture, count in zip(film.pictures(steps), counts, strict=True):
        small = FITS[cutting.fit](picture, cutting.image_px)
        yield from [small] * int(count)


def cut_where(changes: np.ndarray, count: int) -> list[Int[np.ndarray, "k"]]:
    """Numbers 0 … count − 1 in runs; `changes[i]` says that a run ends after i."""
    return np.split(np.arange(count), np.flatnonzero(changes) + 1)


def read_picture(file: Path | BinaryIO, name: str) -> Picture:
    """An encoded picture (JPEG, PNG, …) as RGB, upright. UnusableVideo when it is damaged, or has more than 8 bits a channel."""
    try:
        with Image.open(file) as image:
            mode = image.mode
            picture = np.asarray(ImageOps.exif_transpose(image).convert("RGB")) if mode in EIGHT_BITS else None
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise UnusableVideo(f"holds an unreadable picture {name}: {str(error).splitlines()[0]}") from error
    if picture is None:
        raise UnusableVideo(f"holds {name}, which is no colour picture of 8 bits but {mode}")
    return picture


def finite(values: Any, name: str, count: int) -> Float32[np.ndarray, "n m"]:
    """Numbers of `count` steps as rows; UnusableVideo when they are not as many or not finite."""
    table = np.asarray(values, dtype=np.float32)
    if (
        count == 0
        or table.size == 0
        or (table.shape[0] != count and table.size % count)
        or not np.isfinite(table).all()
    ):
        raise UnusableVideo(f"has {table.size} numbers in {name} for {count} pictures, or some that are not finite")
    return table.reshape(count, -1)


def optional(module: str, *, extra: str) -> Any:
    """A module that only some sources need; ValueError names the extra that brings it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ValueError(f"this source needs {module}: pip install 'lapa[{extra}]'") from error
