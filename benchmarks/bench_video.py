"""The loader beside a bare decode of the same clips, memory, a step's wait, the index: markdown tables out. Linux.

python benchmarks/bench_video.py        settings: rounds=3 hours=1 step_s=0.1 clips=1000000; a few minutes on one core
"""

import os
import resource
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_video_build import made_videos, our_build
from timing import in_turn, markdown, share

from lapa import stream as clip_stream
from lapa.shards import ShardIndex, read_shard, shard_paths, write_shard
from lapa.stage import read_manifest
from lapa.stream import ClipStream, Plan
from lapa.video import decode_mp4, encode_mp4
from video_data.pairs import PairLoader

GIVEN = {"rounds": "3", "hours": "1", "step_s": "0.1", "clips": "1000000"}
PAIRS_PER_CLIP, BATCH = 8, 64
TINY = encode_mp4(torch.zeros(2, 3, 16, 16, dtype=torch.uint8), fps=10)
INDEXED = 1_000  # clips of the shard whose index is weighed


def loader(clips: Path, num_workers: int) -> Iterator[Any]:
    settings = dict(gap_s=0.5, pairs_per_clip=PAIRS_PER_CLIP, split="all", val_percent=0, clips_per_block=16)
    more = dict(batch_size=BATCH, seed=0, rank=0, world=1, start_batch=0, num_workers=num_workers)
    return iter(PairLoader(folder=clips, **settings, **more))


def bare(clips: Path) -> None:
    for path in shard_paths(clips):
        for sample in read_shard(path):
            decode_mp4(sample["mp4"])


def loader_table(clips: Path, rounds: int) -> str:
    count = len(ShardIndex(shard_paths(clips)))
    stream, batches = loader(clips, 0), count * PAIRS_PER_CLIP // BATCH
    # whole blocks are decoded at once, so as many batches as an epoch has are asked for each time
    taken = in_turn([lambda: bare(clips), lambda: [next(stream) for _ in range(batches)]], rounds)
    pairs = np.array([count * PAIRS_PER_CLIP, batches * BATCH]) / np.median(taken, axis=0)
    rows = [["bare decode", f"{pairs[0]:,.0f}", ""], ["loader", f"{pairs[1]:,.0f}", share(taken, 0, 1)]]
    return markdown(["", f"pairs/s of CPU time, {PAIRS_PER_CLIP} a clip", "of bare"], rows)


def memory(clips: Path, hours: float) -> str:
    """Resident MB of this process as the loader reads on and on."""
    facts = read_manifest(clips)
    clip_s = facts["frames"] / facts["count"] / facts["fps"]
    batches = int(hours * 3600 / clip_s * PAIRS_PER_CLIP / BATCH)
    stream, seen = loader(clips, 0), []
    for number in range(batches):
        next(stream)
        if number in (batches // 10, batches // 2, batches - 1):
            seen.append(f"{int(Path('/proc/self/statm').read_text().split()[1]) * resource.getpagesize() / 1e6:.0f}")
    return f"Memory after 10, 50 and 100 % of {hours:g} h of clips through the loader: {', '.join(seen)} MB."


def wait(clips: Path, step_s: float) -> str:
    """How long a step that leaves the CPU alone, as a GPU's does, waits for its batch."""
    stream, waits = loader(clips, 1), []
    next(stream)
    for _ in range(30):
        time.sleep(step_s)
        started = time.perf_counter()
        next(stream)
        waits.append(time.perf_counter() - started)
    middle, worst = 1000 * np.median(waits), 1000 * np.max(waits)
    return f"A step of {step_s:g} s and {BATCH} pairs waits {middle:.1f} ms (median), {worst:.0f} ms at most, for one worker."


def index_size(folder: Path, count: int) -> str:
    """What the index of `count` clips takes, in a process of its own: one shard under many names, read as so many."""
    samples = ({"__key__": f"a_longish_name_of_a_video-{i:08x}@000", "mp4": TINY, "json": {}} for i in range(INDEXED))
    write_shard(folder / "0.tar", samples)
    for number in range(1, -(-count // INDEXED)):
        os.link(folder / "0.tar", folder / f"{number}.tar")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        clips, scan_s, held, more = fresh.submit(weigh_index, folder).result()
    return (
        f"The index of {clips:,} clips takes {held / clips:.0f} bytes a clip with keys of 38 letters and its split, and "
        f"{more / clips:.0f} for the order of an epoch: {(held + more) / clips / 100:.1f} GB for 10 M clips, which workers "
        f"that fork share; {scan_s:.0f} CPU s to scan."
    )


def weigh_index(folder: Path) -> tuple[int, float, int, int]:
    """Clips, CPU seconds of the scan, bytes that this process grew by, bytes that a forked one grows by as it reads.

    The latter holds an epoch's order, as a training's own process does; its workers do not.
    """
    clip_stream.KEPT_BYTES = 0
    before, started = _private_bytes(), time.process_time()
    plan = Plan(samples_per_clip=1, clips_per_block=64, batch_size=BATCH, seed=0, rank=0, world=1)
    stream = ClipStream(folder=folder, take=_key_only, split="train", val_percent=10, plan=plan, start_batch=0)
    taken = len(stream.index), time.process_time() - started, _private_bytes() - before
    context = get_context("fork")  # as the loader's workers on Linux: nothing is sent, pages are shared
    answer = context.SimpleQueue()
    worker = context.Process(target=lambda: answer.put(_growth(stream)))
    worker.start()
    grown = answer.get()
    worker.join()
    return *taken, grown


def _growth(stream: ClipStream) -> int:
    stream.records(0, 0)  # the decoder's own memory is not the index's
    before, records = _private_bytes(), iter(stream)
    deque(islice(records, 20 * BATCH), maxlen=0)
    return _private_bytes() - before


def _key_only(sample: dict[str, Any], rng: np.random.Generator) -> list[str]:
    return [sample["__key__"]]


def _private_bytes() -> int:
    """Of this process alone: pages that a fork shares are not counted until one side writes to them."""
    rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(row.split()[1]) for row in rows if row.startswith("Private_"))


def main() -> None:
    given = GIVEN | dict(word.split("=", 1) for word in sys.argv[1:])
    with tempfile.TemporaryDirectory() as name:
        work, videos = Path(name), Path(name) / "videos"
        for folder in (videos, work / "index"):
            folder.mkdir()
        made_videos(videos)
        clip_stream.KEPT_BYTES = 0  # more clips than are kept: each is decoded each time
        clips = work / "clips"
        our_build(videos, clips, [])
        print(loader_table(clips, int(given["rounds"])), end="\n\n")
        for line in (
            memory(clips, float(given["hours"])),
            wait(clips, float(given["step_s"])),
            index_size(work / "index", int(given["clips"])),
        ):
            print(line)


if __name__ == "__main__":
    main()
