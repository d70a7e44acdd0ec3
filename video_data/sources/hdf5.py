"""Demonstrations in robomimic's HDF5 layout in, clips of every camera out, state and action beside them on request.

Layout: robomimic.github.io/docs/datasets/overview.html: data/demo_*/obs/CAMERA, actions; env_args at `data`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lapa.files import quick_hash, value_hash
from video_data.clip import Clip, Fault
from video_data.decode import Cutting
from video_data.decoder import shared_decoder
from video_data.header import UnusableVideo
from video_data.sources.files import files_under
from video_data.sources.frames import natural
from video_data.sources.sequence import Steps, apart, check_fit, clips_of, finite, optional

ENDINGS = (".hdf5", ".h5")


class View(NamedTuple):
    """What one camera saw of a demonstration; without `demo` a file that cannot be opened, for `fault`."""

    file: str  # relative to the folder
    demo: str
    camera: str
    fault: str

    def __str__(self) -> str:
        return f"{self.file}, {self.demo}, camera {self.camera}" if self.demo else self.file


class Hdf5Source:
    """Clips of `cameras` (names below `obs/`; None: whatever is pictures) of every demonstration, steps at `control_hz`.

    arrays: {name in the clip: data set of the demonstration}; rows are those of the steps shown.
    """

    def __init__(
        self, *, folder: str | None, control_hz: float | None, cameras: list[str] | None, text: list[str],
        upside_down: bool, embodiment: str, arrays: dict[str, str] | None, timeout_s: float, cutting: Cutting,
    ):  # fmt: skip
        if folder is None:
            raise ValueError("source=hdf5 needs videos=FOLDER_OR_FILE")
        path = Path(folder).expanduser()
        self.folder, self.only = (path.parent, path.name) if path.is_file() else (path, "")  # the name of one file
        self.control_hz, self.cameras, self.text, self.upside_down = control_hz, cameras, text, upside_down
        self.embodiment, self.arrays, self.cutting = embodiment, arrays or {}, check_fit(cutting)
        self.timeout_s = timeout_s

    def items(self) -> list[View]:
        """Every demonstration by every camera; ValueError when there is no file."""
        optional("h5py", extra="hdf5")
        return [view for path in self._files() for view in self._listed(path)]

    def contents(self) -> str:
        """A hash of the files, wherever they lie."""
        return value_hash({path.relative_to(self.folder).as_posix(): quick_hash(path) for path in self._files()})

    def read(self, view: View) -> Iterator[Clip | Fault]:
        """The clips of one camera; UnusableVideo with the reason."""
        if not view.demo:
            raise UnusableVideo(view.fault)
        return apart(self._clips, view, cutting=self.cutting, timeout_s=self.timeout_s)

    def _clips(self, view: View) -> Iterator[Clip | Fault]:
        try:
            with optional("h5py", extra="hdf5").File(self.folder / view.file, "r") as file:
                yield from clips_of([self._steps(file["data"], view)], self.cutting)
        except (OSError, KeyError, RuntimeError) as error:
            raise UnusableVideo(f"is damaged or not robomimic's: {str(error).splitlines()[0]}") from error

    def _steps(self, data: Any, view: View) -> Steps:
        demo = data[view.demo]
        pictures = demo["obs"][view.camera]
        if not _is_pictures(pictures):
            raise UnusableVideo(
                f"has no pictures uint8 [t, h, w, 3] in {view.camera}: {pictures.dtype} {pictures.shape}"
            )
        arrays = {name: finite(demo[place][()], place, len(pictures)) for name, place in self.arrays.items()}
        return Steps(
            source=f"{view.file}/{view.demo}",
            camera=view.camera,
            times_s=np.arange(len(pictures)) / self._rate(data),
            pictures=lambda steps: (pictures[i][:: -1 if self.upside_down else 1] for i in steps),
            text=next((said for name in self.text if (said := _said(demo, data, name))), ""),
            embodiment=self.embodiment,
            arrays=arrays,
        )

    def _rate(self, data: Any) -> float:
        settings = _object(data.attrs.get("env_args")).get("env_kwargs", {})
        rate = self.control_hz or settings.get("control_freq") or settings.get("fps")
        if not rate:
            raise UnusableVideo("does not say its control_freq in env_args: give source.control_hz=…")
        return float(rate)

    def _files(self) -> list[Path]:
        there = [self.only] if self.only else files_under(self.folder) if self.folder.is_dir() else ()
        files = [self.folder / path for path in there if self.only or path.lower().endswith(ENDINGS)]
        if not files:
            raise ValueError(f"no {', '.join(ENDINGS)} in {self.folder}")
        return files

    def _listed(self, path: Path) -> list[View]:
        """A damaged file may hang the library as soon as it is opened."""
        try:
            return list(shared_decoder(self.timeout_s).run(self._views, path, memory_gb=self.cutting.memory_gb))
        except UnusableVideo as fault:
            return [View(path.relative_to(self.folder).as_posix(), "", "", str(fault))]

    def _views(self, path: Path) -> Iterator[View]:
        name = path.relative_to(self.folder).as_posix()
        try:
            with optional("h5py", extra="hdf5").File(path, "r") as file:
                demos = sorted(file["data"], key=lambda demo: natural(Path(demo)))
                yield from (view for demo in demos for view in self._views_of(file["data"][demo], name, demo))
        except (OSError, KeyError, RuntimeError) as error:
            yield View(name, "", "", f"is damaged or not robomimic's: {str(error).splitlines()[0]}")

    def _views_of(self, demo: Any, file: str, name: str) -> list[View]:
        seen = [camera for camera in sorted(demo["obs"]) if _is_pictures(demo["obs"][camera])]
        views = [View(file, name, camera, "") for camera in (self.cameras or seen)]
        return views or [View(f"{file}, {name}", "", "", "has no pictures among its observations")]


def _is_pictures(data: Any) -> bool:
    return getattr(data, "dtype", None) == np.uint8 and data.ndim == 4 and data.shape[-1] == 3


def _said(demo: Any, data: Any, name: str) -> str:
    """What an attribute says: the demonstration's own, all demonstrations', or (LIBERO) one of their `problem_info`."""
    places = (demo.attrs, data.attrs, _object(data.attrs.get("problem_info")))
    value = next((place[name] for place in places if name in place), "")
    parts = value if isinstance(value, list | np.ndarray) else [value]
    return " ".join(part.decode() if isinstance(part, bytes) else str(part) for part in parts)


def _object(text: Any) -> dict[str, Any]:
    try:
        value = json.loads(text or "{}")
    except ValueError:  # then it says nothing that is asked for, and what is missing is told
        value = {}
    return value if isinstance(value, dict) else {}
