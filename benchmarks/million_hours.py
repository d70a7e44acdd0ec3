"""Hours of raw video, measured rates and assumed prices in; what building them needs, and what breaks first, out. docs/scale.md.

    python benchmarks/million_hours.py                          # one million hours; name=value gives another value
    python benchmarks/million_hours.py measure=true             # what of `MEASURED` is measured here, on this machine: minutes

`ASSUMED` is what nobody has measured here: the videos, the machines, the prices.
"""

import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from timing import markdown

from video_data.decode import Cutting, read_pieces
from video_data.outcome import MOST_SHARDS

GB, TB, PB, DAY_S, HOUR_S = 1e9, 1e12, 1e15, 86_400, 3600
ASSUMED = {
    "hours": 1e6,  # of raw video
    "video_s": 300.0,  # of one [s]
    "raw_mbit_s": 2.5,  # 1280 × 720 px at 30 Hz, H.264, as the web sends it
    "kept": 0.5,  # of the clips
    "machines": 100.0,
    "cores": 64.0,  # a machine
    "core_hour_usd": 0.04,
    "gb_month_usd": 0.023,  # of an object store
    "nvdec_frames_s": 1500.0,  # 1280 × 720 px, an engine
    "nvdec_engines": 7.0,  # of an H100
    "gpu_hour_usd": 2.5,
    "disk_requests_s": 3000.0,  # of the disk on which videos are found and marked by the first process
}
MEASURED = {  # by a core, unless something else is said
    "build_frames_s": 983.0,  # written at 64 px and 10 Hz, from 320 × 180 px: docs/performance.md, Video
    "loader_pairs_s": 2103.0,  # 8 pairs a clip: docs/performance.md, Video
    "index_bytes": 56.0,  # a clip: docs/performance.md, Video
    "decode_180_frames_s": 5700.0,  # decoded and shrunk, 320 × 180 px at 30 Hz: measure=true
    "decode_720_frames_s": 471.0,  # 1280 × 720 px: measure=true
    "clip_bytes": 18_530.0,  # a clip of 6 s in a shard, its words and headers counted: measure=true
    "print_s": 2.7e-6,  # to sort a print while twins are looked for: measure=true
    "pair_s": 1.0e-7,  # to compare two that share a band: measure=true
    "twin_bytes": 410.0,  # a print, while twins are looked for: measure=true
    "item_bytes": 219.0,  # of a video in the first process: measure=true
}
SOURCE_HZ, CLIP_HZ, CLIP_S, PAIRS = 30.0, 10.0, 6.0, 8.0  # configs/build.yaml; [s]; pairs a clip
CUTTING = Cutting(fps=CLIP_HZ, image_px=64, fit="crop", max_clip_s=CLIP_S, min_source_fps=4, decoder="av", memory_gb=4)
BANDS, BAND_BITS = 11, 256 / 11  # of prints, where 10 bits may differ: video_data/twins.py
UNUSUAL = 1 / 8  # of the bits of a print, in a set of clips that have much in common
EVEN_PRINTS, ALIKE_PRINTS, ROWS, FILM = 100_000, 10_000, 1000, 90


def needs(a: dict[str, float]) -> list[list[str]]:
    """Rows (what, how much, how it is counted) of a build of `a["hours"]` hours, and of one epoch of pairs."""
    seconds = a["hours"] * HOUR_S
    videos, clips, cores = seconds / a["video_s"], seconds / CLIP_S, a["machines"] * a["cores"]
    kept = clips * a["kept"]
    raw, stored = seconds * a["raw_mbit_s"] * 1e6 / 8, kept * a["clip_bytes"]
    more_s = (
        SOURCE_HZ / a["decode_720_frames_s"] - SOURCE_HZ / a["decode_180_frames_s"]
    )  # a second of video costs so much more
    core_s = seconds * (CLIP_HZ / a["build_frames_s"] + more_s)
    gpu_s = seconds * SOURCE_HZ / (a["nvdec_frames_s"] * a["nvdec_engines"])
    days = core_s / cores / DAY_S
    per_shard = max(32.0, np.ceil(videos / MOST_SHARDS))
    epoch_core_s = kept * PAIRS / a["loader_pairs_s"]
    bytes_s, shards = raw / (days * DAY_S), videos / per_shard
    money = [f"${size / GB * a['gb_month_usd']:,.0f}" for size in (raw, stored)]
    machines = f"{a['machines']:.0f} × {a['cores']:.0f} cores, nothing waits"
    rows = [
        ("raw video", f"{raw / PB:.2f} PB", f"{a['raw_mbit_s']:g} Mbit/s"),
        ("as clips, 64 px", f"{stored / TB:.1f} TB", f"{kept / 1e6:.0f} M clips of {a['clip_bytes']:.0f} bytes"),
        ("storage a month", " + ".join(money), "raw + clips"),
        ("build", f"{core_s / HOUR_S / 1e3:,.0f} k core-hours", f"{seconds / core_s:.1f} s of video a core second"),
        ("on all machines", f"{days:.1f} days", machines),
        ("cost of it", f"${core_s / HOUR_S * a['core_hour_usd']:,.0f}", "core-hours"),
        ("decoding by NVDEC", f"{gpu_s / HOUR_S / 1e3:,.1f} k GPU-hours", f"{a['nvdec_engines']:.0f} engines a GPU"),
        ("cost of that", f"${gpu_s / HOUR_S * a['gpu_hour_usd']:,.0f}", "the filters stay on cores"),
        ("GPUs to decode in those days", f"{np.ceil(gpu_s / (days * DAY_S)):.0f}", ""),
        ("read from the store", f"{bytes_s / GB:.1f} GB/s", f"{bytes_s / a['machines'] / 1e6:.0f} MB/s a machine"),
        ("shards", f"{np.ceil(shards):,.0f}", f"videos_per_shard={per_shard:.0f}; at most {MOST_SHARDS:,}"),
        (
            "a shard",
            f"{stored / shards / 1e6:.0f} MB",
            f"{core_s / shards / 60:.0f} min: what a killed worker loses at most",
        ),
        (
            "loading an epoch",
            f"{epoch_core_s / HOUR_S / 1e3:,.1f} k core-hours",
            f"{kept * PAIRS / 1e9:.1f} G pairs, 8 a clip",
        ),
    ]
    return [list(row) for row in rows]


def limits(a: dict[str, float]) -> list[list[str]]:
    """Rows (what, what it takes, hours of raw video for which 64 GB or a day are enough) of what one process does alone."""
    videos, clips = a["hours"] * HOUR_S / a["video_s"], a["hours"] * HOUR_S / CLIP_S
    kept = clips * a["kept"]
    linear = [
        ("the loader's index", kept * a["index_bytes"] / GB, "GB", 64),
        ("prints", kept * a["twin_bytes"] / GB, "GB", 64),
        ("list of videos", videos * a["item_bytes"] / GB, "GB", 64),
        ("finding and marking videos, 3 requests each", videos * 3 / a["disk_requests_s"] / HOUR_S, "h", 24),
        ("near-duplicates: sorting", kept * a["print_s"] / HOUR_S, "h", 24),
    ]
    square = [
        ("near-duplicates: comparing, even bits", pairs(kept, 1 / 2) * a["pair_s"] / HOUR_S, "h", 24),
        ("near-duplicates: comparing, one bit in eight unusual", pairs(kept, UNUSUAL) * a["pair_s"] / HOUR_S, "h", 24),
    ]
    rows = [(what, taken, unit, a["hours"] * most / taken) for what, taken, unit, most in linear]
    rows += [(what, taken, unit, a["hours"] * (most / taken) ** 0.5) for what, taken, unit, most in square]
    return [
        [what, f"{taken:,.3g} {unit}", f"{hours:,.2g}"]
        for what, taken, unit, hours in sorted(rows, key=lambda row: row[3])
    ]


def pairs(prints: float, unusual: float) -> float:
    """Pairs that share a band, when each bit of a print is with this chance not the usual one."""
    return BANDS * prints**2 / 2 * (1 - 2 * unusual * (1 - unusual)) ** BAND_BITS


def measure() -> dict[str, float]:
    """The values of `MEASURED` that this file finds out."""
    rng = np.random.default_rng(0)
    alike = (rng.random((ALIKE_PRINTS, 256)) < UNUSUAL) ^ rng.integers(0, 2, 256, dtype=np.uint8).astype(bool)
    even_s, twin_bytes = twins(rng.integers(0, 2**64, (EVEN_PRINTS, 4), np.uint64))
    alike_s, _ = twins(np.packbits(alike, axis=1).view(np.uint64))
    print_s = even_s / EVEN_PRINTS
    pair_s = (alike_s - print_s * ALIKE_PRINTS) / pairs(ALIKE_PRINTS, UNUSUAL)
    with tempfile.TemporaryDirectory() as folder:
        found = {f"decode_{height}_frames_s": decoded(Path(folder), height) for height in (180, 720)}
        found |= {
            "clip_bytes": clip_bytes(Path(folder)),
            "print_s": print_s,
            "pair_s": pair_s,
            "twin_bytes": twin_bytes,
        }
    return found | kept_in_memory()


def twins(prints: np.ndarray) -> tuple[float, float]:
    """CPU seconds to find twins among `prints`, and the most bytes a print that it takes, itself counted."""
    from video_data.twins import find_twins

    started = time.process_time()
    find_twins(prints, 10)
    seconds = time.process_time() - started
    tracemalloc.start()
    find_twins(prints, 10)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return seconds, (most + prints.nbytes) / len(prints)


def kept_in_memory() -> dict[str, float]:
    """Bytes of a planned video, as a folder gives them."""
    from video_data.sources.folder import Video

    tracemalloc.start()
    videos = [Video(f"some/folder/some video name {number}.mp4", {}) for number in range(ROWS)]
    item_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {"item_bytes": item_bytes / len(videos)}


def drifting(height: int, width: int, count: int) -> Iterator[np.ndarray]:
    """Pictures of noise that goes by, by two pixels each."""
    rough = np.random.default_rng(0).integers(0, 255, (height // 8, (width + 2 * count) // 8, 3), np.uint8)
    scene = cv2.resize(rough, (width + 2 * count, height))
    return (np.ascontiguousarray(scene[:, 2 * number : 2 * number + width]) for number in range(count))


def decoded(folder: Path, height: int) -> float:
    """Frames a CPU second that are decoded, and a third of them shrunk, of a 16 : 9 film of the assumed bit rate."""
    path, width = folder / f"{height}.mp4", height * 16 // 9
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=int(SOURCE_HZ), options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = int(ASSUMED["raw_mbit_s"] * 1e6 * (height / 720) ** 2)
        for picture in drifting(height, width, FILM):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    started = time.process_time()
    count = sum(len(piece.frames) for piece in read_pieces(path, CUTTING))
    return count * SOURCE_HZ / CLIP_HZ / (time.process_time() - started)


def clip_bytes(folder: Path) -> float:
    """Bytes of a shard a clip of 6 s at 64 px, its words and the tar's headers counted."""
    import torch

    from lapa.shards import write_shard
    from lapa.video import encode_mp4

    frames = torch.from_numpy(np.stack(list(drifting(64, 64, int(CLIP_S * CLIP_HZ))))).permute(0, 3, 1, 2).contiguous()
    about = {
        "text": "push the red block to the left",
        "fps": CLIP_HZ,
        "source": "some/folder/some video.mp4",
        "embodiment": "",
    }
    sample = {"mp4": encode_mp4(frames, fps=CLIP_HZ), "json": about | {"start_s": 0.0, "frames": len(frames)}}
    keys = (f"some_folder_some_video-01234567@{number:03d}" for number in range(100))
    write_shard(folder / "a.tar", ({"__key__": key, **sample} for key in keys))
    return (folder / "a.tar").stat().st_size / 100


def main() -> None:
    told = dict(word.split("=", 1) for word in sys.argv[1:])
    if told.pop("measure", "false") == "true":
        print(markdown(["measured", "value"], [[name, f"{value:.4g}"] for name, value in measure().items()]))
        return
    unknown = told.keys() - ASSUMED.keys() - MEASURED.keys()
    if unknown:
        raise SystemExit(f"no {', '.join(sorted(unknown))}; there are {', '.join([*ASSUMED, *MEASURED])}")
    about = ASSUMED | MEASURED | {name: float(value) for name, value in told.items()}
    print(markdown([f"{about['hours']:,.0f} hours", "", ""], needs(about)), end="\n\n")
    print(markdown(["one process alone", "takes", "hours of raw video for 64 GB or a day"], limits(about)))


if __name__ == "__main__":
    main()
