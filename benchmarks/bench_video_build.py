"""`lapa build` beside a bare ffmpeg on the same videos, what each of its parts costs, its memory: markdown tables out. Linux.

python benchmarks/bench_video_build.py        settings: rounds=3 hours=1 folder=FOLDER (of mp4; else made); CPU time throughout
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import cv2
import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe
from timing import markdown

from lapa.config import compose
from lapa.stage import read_manifest
from lapa.video import X264_OPTIONS
from video_data.build import main as build
from video_data.build import make_cleaning, make_source
from video_data.decoder import shared_decoder
from video_data.read import read_item

GIVEN = {"rounds": "3", "hours": "1", "folder": ""}
VIDEOS, SECONDS, RATE, SIZE = 12, 8, 30, (180, 320)
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
FIT = r"fps=10,crop=min(iw\,ih):min(iw\,ih),scale=64:64:flags=area"  # what build does with default settings
FEW = {"cut_change": 255, "min_brightness": 0, "max_frozen_share": 1, "min_border_share": 2, "max_blur": 1}
FEW |= {"min_own_share": 0, "max_twin_bits": -1}
ONLY_MOTION = [f"filters.{name}={value}" for name, value in FEW.items()]
PARTS = {  # functions whose time is told, where they are called
    "receive": "video_data.decoder.Decoder._answer",
    "cuts": "video_data.read.scenes",
    "too short, dark, no motion, frozen": "video_data.read.judge",  # less the two that it calls
    "blurred": "video_data.filters.blur",
    "camera alone": "video_data.filters.camera_alone",
    "prints of near-duplicates": "video_data.read.make_print",
    "H.264": "video_data.read.to_sample",
    "shards": "video_data.build.write_shard",
    "near-duplicates": "video_data.build.drop_twins",
    "page": "video_data.build.write_page",
}


def made_videos(folder: Path) -> None:
    """Noise that drifts, with camera grain and a block that goes its own way: about as hard to decode as a real scene."""
    rng = np.random.default_rng(0)
    for number in range(VIDEOS):
        scene = cv2.GaussianBlur(rng.integers(0, 255, (SIZE[0] + 300, SIZE[1], 3), dtype=np.uint8), (0, 0), 2)
        with av.open(str(folder / f"drift_{number}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=RATE)
            stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
            for shift in range(SECONDS * RATE):
                grain = rng.integers(0, 8, (*SIZE, 3), dtype=np.uint8)
                picture = np.clip(scene[shift : shift + SIZE[0]], 0, 247) + grain
                left = 80 + 2 * (shift % 60)
                picture[70:110, left : left + 40] = 230
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())


def ffmpeg(jobs: list[list[Path]], out: Path) -> float:
    """CPU seconds of one ffmpeg for each list of videos, on one thread, with our encoder's options."""
    out.mkdir()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    coder = [word for name, value in X264_OPTIONS.items() for word in (f"-{name}", value)]
    for videos in jobs:
        words = ["-nostdin", "-v", "error"]
        for video in videos:
            words += ["-threads", "1", "-i", str(video)]
        for number, video in enumerate(videos):
            words += ["-map", f"{number}:v:0", "-vf", FIT, "-filter_threads", "1", "-c:v", "libx264"]
            words += ["-pix_fmt", "yuv420p", *coder, str(out / video.name)]
        subprocess.run([shutil.which("ffmpeg") or get_ffmpeg_exe(), *words], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def our_build(folder: Path, out: Path, changes: list[str]) -> tuple[float, float]:
    """CPU seconds of `lapa build` and of its decoding process, which both run already."""
    cfg = compose("build", [f"videos={folder}", f"out={out}", "num_workers=0", *changes])
    decoder = shared_decoder(cfg.source.timeout_s)
    before = time.process_time(), _cpu_s(decoder)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        build(cfg)
    return time.process_time() - before[0], _cpu_s(decoder) - before[1]


def _cpu_s(decoder: Any) -> float:
    if decoder.process is None:
        return 0.0
    user, system = Path(f"/proc/{decoder.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) * TICK_S


def build_table(folder: Path, work: Path, rounds: int) -> str:
    """All in turn; the first round starts the decoder and is not counted."""
    videos = sorted(folder.glob("*.mp4"))
    ways: dict[str, Callable[[Path], float]] = {
        "ffmpeg, one a video": lambda out: ffmpeg([[video] for video in videos], out),
        "ffmpeg, one for all": lambda out: ffmpeg([videos], out),
        "build, filters off but the shortest's and motion's": lambda out: sum(our_build(folder, out, ONLY_MOTION)),
        "build": lambda out: sum(our_build(folder, out, [])),
        "build by decord": lambda out: sum(our_build(folder, out, ["source.cutting.decoder=decord"])),
    }
    taken = np.array(
        [[way(work / f"{w}_{turn}") for w, way in enumerate(ways.values())] for turn in range(rounds + 1)][1:]
    )
    made = read_manifest(work / "3_0")
    rows = [
        [name, f"{made['frames'] / took:,.0f}", f"{made['count'] / took:.1f}", *shares]
        for name, took, *shares in zip(ways, np.median(taken, axis=0), _of(taken, 0), _of(taken, 1), strict=True)
    ]
    return markdown(["", "frames/s of CPU time, written", "clips/s", "of one a video", "of one for all"], rows)


def _of(taken: np.ndarray, way: int) -> list[str]:
    return [f"{share:.0%}" for share in np.median(taken[:, way : way + 1] / taken, axis=0)]


@contextmanager
def timed(parts: dict[str, str]) -> Iterator[Counter[str]]:
    """CPU seconds in each function while this lasts."""
    spent: Counter[str] = Counter()

    def told(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            started = time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent[name] += time.process_time() - started

        return call

    with ExitStack() as stack:
        for name, place in parts.items():
            changed = patch(place)
            original, _ = changed.get_original()
            stack.enter_context(patch(place, told(name, original)))
        yield spent


def parts_table(folder: Path, work: Path, rounds: int) -> str:
    """CPU milliseconds a clip of each part of a build with every filter."""
    turns = []
    for turn in range(rounds):
        with timed(PARTS) as spent:
            ours, decoding = our_build(folder, work / f"parts_{turn}", [])
        named = {"decoding and shrinking, in its own process": decoding, **{name: spent[name] for name in PARTS}}
        named["too short, dark, no motion, frozen"] -= spent["blurred"] + spent["camera alone"]
        turns.append({**named, "all else": ours + decoding - sum(named.values())})
    clips = read_manifest(work / "parts_0")["count"]
    rows = [[name, f"{1000 * np.median([turn[name] for turn in turns]) / clips:.2f}"] for name in turns[0]]
    return markdown(["part", "CPU ms a clip"], rows)


def memory(folder: Path, hours: float) -> str:
    """Resident MB of a worker and its decoder as they read on and on."""
    cfg = compose("build", [f"videos={folder}", "out=x"])
    source, cleaning, items = make_source(cfg), make_cleaning(cfg), make_source(cfg).items()
    seen, read_s, marks = [], 0.0, [share * hours * 3600 for share in (0.1, 0.5, 1)]
    while len(seen) < len(marks):
        for item in items:
            read_s += read_item(item, source, cleaning).outcome.frames / cfg.fps
        if read_s >= marks[len(seen)]:
            pids = os.getpid(), shared_decoder(cfg.source.timeout_s).process.pid
            seen.append(" + ".join(f"{_resident_mb(pid):.0f}" for pid in pids))
    return f"Memory of a worker + its decoder after 10, 50 and 100 % of {hours:g} h of videos: {', '.join(seen)} MB."


def _resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def main() -> None:
    given = GIVEN | dict(word.split("=", 1) for word in sys.argv[1:])
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        folder = Path(given["folder"] or work / "videos")
        if not given["folder"]:
            folder.mkdir()
            made_videos(folder)
        rounds = int(given["rounds"])
        print(build_table(folder, work, rounds), end="\n\n", flush=True)
        print(parts_table(folder, work, rounds), end="\n\n", flush=True)
        print(memory(folder, float(given["hours"])))


if __name__ == "__main__":
    main()
