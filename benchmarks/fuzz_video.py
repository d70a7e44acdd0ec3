"""1,000 broken, odd and hostile video files in; what `lapa build` made of each kind, and at what cost, out.

python benchmarks/fuzz_video.py        settings: files=1000 seed=0 timeout_s=60 memory_gb=1 decoder=av folder=FOLDER (stays)
Ends with 1 when the build fails, or when a file is in no shard and in neither list.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
from timing import markdown

from lapa.shards import read_shard, shard_paths
from lapa.stage import read_manifest
from video_data.clip import clip_key

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
from raw_videos import no_pictures, steady, turned, write_video

GIVEN = {"files": "1000", "seed": "0", "timeout_s": "60", "memory_gb": "1", "decoder": "av", "folder": ""}
WHOLE = {"mp4": "libx264", "mkv": "libx265", "avi": "mpeg4", "webm": "libvpx-vp9", "gif": "gif", "mov": "libx264"}
ODD = [("mkv", "ffv1", form) for form in ("gray", "yuv410p", "yuv411p", "yuv444p16le", "gbrp10le", "bgra", "gray16le")]
ODD += [("mp4", "libx264", form) for form in ("yuv444p", "yuv422p", "yuv420p10le", "gray", "yuvj420p")]
ODD += [("webm", "libvpx-vp9", "yuva420p"), ("mov", "png", "rgba"), ("avi", "rawvideo", "yuyv422")]
HDR = {"x265-params": "log-level=none:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"}
Make = Callable[[Path, list[Path], np.random.Generator], Path]


def film(path: Path, codec: str, form: str, size=(96, 64), frames=24, options=None) -> Path:
    """A second of a bar that moves, in any pixel format; `size` is (width, height)."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, form
        for number in range(frames):
            picture = np.full((size[1], size[0], 3), 40, np.uint8)
            picture[:, number * size[0] // frames :][:, : size[0] // 6] = (250, 120, 60)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=form)))
        container.mux(stream.encode())
    return path


def picked(seeds: list[Path], rng: np.random.Generator) -> tuple[Path, bytearray]:
    seed = seeds[rng.integers(len(seeds))]
    return seed, bytearray(seed.read_bytes())


def put(path: Path, seed: Path, data: bytes) -> Path:
    path = path.with_suffix(seed.suffix)
    path.write_bytes(data)
    return path


def bit_flips(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    seed, data = picked(seeds, rng)
    for at in rng.integers(len(data), size=2 ** rng.integers(0, 9)):
        data[at] ^= 1 << rng.integers(8)
    return put(path, seed, data)


def truncation(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    seed, data = picked(seeds, rng)
    return put(path, seed, data[: rng.integers(len(data))])


def garbled(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    """A run of bytes is lost, doubled, zeroed or noise."""
    seed, data = picked(seeds, rng)
    start, length = rng.integers(len(data)), rng.integers(1, 2000)
    part = data[start : start + length]
    data[start : start + length] = [b"", part + part, bytes(len(part)), rng.bytes(len(part))][rng.integers(4)]
    return put(path, seed, data)


def wrong_extension(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    _, data = picked(seeds, rng)
    others = [
        bytes(data),
        b"PK\3\4" + rng.bytes(500),
        b"\x89PNG\r\n" + rng.bytes(500),
        b"<html>404</html>",
        rng.bytes(3000),
        b"",
    ]
    path = path.with_suffix(f".{list(WHOLE)[rng.integers(len(WHOLE))]}")
    path.write_bytes(others[max(0, rng.integers(-5, len(others)))])
    return path


def concatenation(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    (seed, one), (_, other) = picked(seeds, rng), picked(seeds, rng)
    return put(path, seed, one + other[rng.integers(2) * rng.integers(len(other)) :])


def no_clock(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    """An mp4 whose clock stands still or runs mad: its time scale, durations or frame times are 0, or all ones."""
    seed, data = picked([seed for seed in seeds if seed.suffix in (".mp4", ".mov")], rng)
    box, after, length = [(b"mdhd", 16, 4), (b"mvhd", 16, 4), (b"stts", 16, 4), (b"mdhd", 20, 4)][rng.integers(4)]
    at = data.index(box) + after
    data[at : at + length] = bytes(length) if rng.integers(2) else b"\xff" * length
    return put(path, seed, data)


def turn(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    """A phone's note to turn the pictures, or one that is no turn at all."""
    seed = turned(next(seed for seed in seeds if seed.suffix == ".mp4"), path.with_suffix(".mp4"))
    data = bytearray(seed.read_bytes())
    if rng.integers(2):
        at = data.index(b"tkhd") + 44
        data[at : at + 36] = rng.bytes(36)
    return put(path, seed, data)


def bomb(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    """Much in little: huge pictures of one colour, or many thousands of small ones."""
    size, frames = [((4096, 4096), 3), ((8192, 4096), 2), ((32, 32), 2000)][rng.integers(3)]
    return film(path.with_suffix(".mp4"), "libx264", "yuv420p", size, frames, {"preset": "ultrafast"})


def streak(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    size = [(100_000, 1), (1, 100_000), (30_000, 2), (2, 16_000)][rng.integers(4)]
    return film(path.with_suffix(".mkv"), "ffv1", "bgr0", size, 4, {"level": "1"})


def odd_format(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    ending, codec, form = ODD[rng.integers(len(ODD))]
    return film(path.with_suffix(f".{ending}"), codec, form, size=(96 + 4 * rng.integers(3), 64))


def hdr(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    return film(path.with_suffix(".mp4"), "libx265", "yuv420p10le", options=HDR)


def interlaced(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    codec, options = [("libx264", {"x264-params": "tff=1"}), ("mpeg2video", {"flags": "+ildct+ilme"})][rng.integers(2)]
    return film(path.with_suffix([".mp4", ".mkv"][rng.integers(2)]), codec, "yuv420p", options=options)


def no_video(path: Path, seeds: list[Path], rng: np.random.Generator) -> Path:
    return no_pictures(path.with_suffix(f".{['mp4', 'mkv'][rng.integers(2)]}"), sound=bool(rng.integers(2)))


KINDS: list[Make] = [bit_flips, truncation, garbled, wrong_extension, concatenation, no_clock, turn, bomb, streak]
KINDS += [odd_format, hdr, interlaced, no_video]


def make_files(folder: Path, count: int, seed: int) -> dict[str, str]:
    """`count` files, kind after kind: {path inside the folder: kind}. A folder that is there is taken as it is."""
    if folder.exists():
        return {path.relative_to(folder).as_posix(): path.parent.name for path in sorted(folder.glob("*/*"))}
    whole = folder.parent / "whole"
    whole.mkdir()
    seeds = [write_video(whole / f"a.{end}", times_ms=steady(30), codec=codec) for end, codec in WHOLE.items()]
    kinds = {}
    for number in range(count):
        make = KINDS[number % len(KINDS)]
        (folder / make.__name__).mkdir(parents=True, exist_ok=True)
        path = make(folder / make.__name__ / f"{number:04d}", seeds, np.random.default_rng((seed, number)))
        kinds[path.relative_to(folder).as_posix()] = make.__name__
    return kinds


def build(folder: Path, out: Path, given: dict[str, str]) -> tuple[int, float, float]:
    """Exit status of `lapa build` in one process with its decoder, seconds, and MB of the largest of the two."""
    words = [f"videos={folder}", f"out={out}", "num_workers=0", f"source.timeout_s={given['timeout_s']}"]
    words += [f"source.cutting.memory_gb={given['memory_gb']}", f"source.cutting.decoder={given['decoder']}"]
    started = time.time()
    child = subprocess.Popen([sys.executable, "-m", "lapa", "build", *words])
    _, status, usage = os.wait4(child.pid, 0)
    return os.waitstatus_to_exitcode(status), time.time() - started, usage.ru_maxrss / 1000


def fates(out: Path, paths: list[str]) -> dict[str, str]:
    """What became of each file: "kept", "dropped" or the reason of its quarantine; "" when it is nowhere."""
    quarantined, dropped = (
        [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()]
        for name in ("quarantine", "dropped")
    )
    fate = {row["item"]: row["reason"] for row in quarantined}
    thrown = {row["clip"].partition("@")[0] for row in dropped}
    kept = {sample["json"]["source"] for path in shard_paths(out) for sample in read_shard(path)}
    for path in paths:
        if path in kept:
            fate[path] = "kept"
        elif clip_key(path, 0).partition("@")[0] in thrown:
            fate[path] = "dropped"
    return {path: fate.get(path, "") for path in paths}


def table(kinds: dict[str, str], fate: dict[str, str]) -> str:
    rows = []
    for make in KINDS:
        mine = [fate[path] for path, kind in kinds.items() if kind == make.__name__]
        lost = Counter(
            " ".join(reason.split()[:3]).rstrip(":") for reason in mine if reason not in ("kept", "dropped", "")
        )
        counts = [len(mine), mine.count("kept"), mine.count("dropped"), lost.total(), mine.count("")]
        most = ", ".join(f"{reason} … {count}" for reason, count in lost.most_common(3))
        rows.append([make.__name__.replace("_", " "), *map(str, counts), most])
    return markdown(["kind", "files", "kept", "dropped", "quarantined", "lost", "most frequent reasons"], rows)


def main() -> None:
    given = GIVEN | dict(word.split("=", 1) for word in sys.argv[1:])
    with tempfile.TemporaryDirectory() as made:
        folder, out = Path(given["folder"] or made) / "videos", Path(given["folder"] or made) / "clips"
        kinds = make_files(folder, int(given["files"]), int(given["seed"]))
        status, seconds, peak_mb = build(folder, out, given)
        if status:
            sys.exit(f"lapa build ended with {status}")
        fate = fates(out, list(kinds))
        assert read_manifest(out)["videos"] == len(kinds)
        print(table(kinds, fate))
        lost = {
            word: sum(reason.startswith(word) for reason in fate.values()) for word in ("crashes", "hangs", "needs")
        }
        print(f"\n{len(kinds)} files in {seconds:.0f} s, the largest process {peak_mb:.0f} MB; quarantined as {lost}")
        sys.exit("" in fate.values())


if __name__ == "__main__":
    main()
