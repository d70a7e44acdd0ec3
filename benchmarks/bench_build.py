"""Speed of `lapa build` beside bare decord on the same videos: raw frames a second of CPU time, stage by stage.

LAPA_REAL_VIDEO=FOLDER measures on real videos (the first 60 of it) in place of made ones.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import cv2
import decord
import numpy as np
import torch
from einops import rearrange
from rich.console import Console
from rich.table import Table

from lapa.config import compose
from video_data.build import make_source
from video_data.clip import Clip, to_sample
from video_data.decode import read_pieces
from video_data.filters import Filters, judge

VIDEOS, SECONDS, RATE, SIZE = 12, 8, 30, (180, 320)


def made_videos(folder: Path) -> list[Path]:
    """Noise that drifts, with camera grain: about as hard to decode as a real scene."""
    rng = np.random.default_rng(0)
    for number in range(VIDEOS):
        scene = cv2.GaussianBlur(rng.integers(0, 255, (SIZE[0] + 300, SIZE[1], 3), dtype=np.uint8), (0, 0), 4)
        with av.open(str(folder / f"drift_{number}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=RATE)
            stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
            for shift in range(SECONDS * RATE):
                grain = rng.integers(0, 8, (*SIZE, 3), dtype=np.uint8)
                picture = np.clip(scene[shift : shift + SIZE[0]], 0, 247) + grain
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
    return sorted(folder.glob("*.mp4"))


def bare(path: Path) -> int:
    """Decode and convert every frame, nothing else; returns how many there are."""
    reader = decord.VideoReader(str(path), num_threads=1)
    for _ in range(len(reader)):
        reader.next()
    return len(reader)


def clips(path: Path, cutting) -> Iterator[Clip]:
    for piece in read_pieces(path, cutting):
        frames = rearrange(torch.from_numpy(piece.frames), "t h w c -> t c h w").contiguous()
        yield Clip("k", frames, cutting.fps, "", "", "", piece.start_s, {})


def cpu_seconds(stage: Callable[[Path], object], paths: list[Path]) -> float:
    """CPU time of this process for all videos; the best of three rounds."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        for path in paths:
            stage(path)
        taken.append(time.process_time() - start)
    return min(taken)


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        real = os.environ.get("LAPA_REAL_VIDEO")
        paths = sorted(Path(real).rglob("*.mp4"))[:60] if real else made_videos(Path(made))
        cfg = compose("build", ["videos=.", "out=."])
        cutting, filters = make_source(cfg).cutting, Filters(**cfg.filters)
        frames = sum(bare(path) for path in paths)
        stages: dict[str, Callable[[Path], object]] = {
            "decord alone": bare,
            f"to {cutting.fps:g} Hz, {cutting.image_px} px": lambda path: list(clips(path, cutting)),
            "and judged": lambda path: [judge(clip, filters) for clip in clips(path, cutting)],
            "and encoded": lambda path: [(judge(clip, filters), to_sample(clip)) for clip in clips(path, cutting)],
        }
        table = Table("stage", "raw frames/s", "of decord", title=f"{len(paths)} videos, {frames} frames, one core")
        times = {name: cpu_seconds(stage, paths) for name, stage in stages.items()}
        for name, taken in times.items():
            table.add_row(name, f"{frames / taken:,.0f}", f"{times['decord alone'] / taken:.0%}")
        Console().print(table)


if __name__ == "__main__":
    main()
