"""Clip shards and a trained model in, one sidecar of labels a shard out (row i: frames i → i + gap), and a report on them."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra.utils import instantiate
from jaxtyping import UInt8
from omegaconf import DictConfig
from rich import print as rich_print
from safetensors.torch import load_file, save_file
from torch import Tensor

from lapa.executor import run_all
from lapa.files import atomic_path
from lapa.memory import keep_freed
from lapa.precision import AUTO, BF16, FP32, resolve
from lapa.shards import read_shard, shard_paths
from lapa.stage import Stage, open_stage, read_manifest
from lapa.video import decode_mp4, gap_in
from quantizer.labellers import Labeller, open_labeller

DECODE_AHEAD = 16  # clips that wait, decoded, for the encoder
AUTOCAST = {FP32: None, BF16: torch.bfloat16}

Frames = UInt8[Tensor, "t 3 h w"]


class Work(NamedTuple):
    """One shard to label."""

    shard: Path
    sidecar: Path


class How(NamedTuple):
    """What decides a label, besides the model and the frames: `gap` in frames, `batch` pairs a pass."""

    gap: int
    batch: int
    precision: str
    device: str


class Labelled(NamedTuple):
    """How many rows a sidecar has, and how many of them were made just now."""

    rows: int
    fresh: int


def decoded(samples: Iterable[dict[str, Any]]) -> Iterator[tuple[str, Frames]]:
    """(key, frames) in order, decoded on a thread of its own while the encoder works: both leave Python's lock alone."""
    waiting: deque[Any] = deque()
    with ThreadPoolExecutor(1) as pool:
        for sample in samples:
            waiting.append((sample["__key__"], pool.submit(decode_mp4, sample["mp4"])))
            if len(waiting) > DECODE_AHEAD:
                key, frames = waiting.popleft()
                yield key, frames.result()
        for key, frames in waiting:
            yield key, frames.result()


def batches(clips: Iterable[Frames], *, gap: int, batch: int) -> Iterator[tuple[Tensor, ...]]:
    """All pairs `gap` apart of all clips, in order, `batch` at a time (the last may be fewer): before, after [b 3 h w].

    A pair costs one pass over its space-time tokens, each of which holds both frames at one place: as much as encoding
    every frame once, by itself, would.
    """
    held: list[tuple[Tensor, ...]] = []
    for frames in clips:
        held.append((frames[:-gap], frames[gap:]))
        while sum(len(before) for before, _ in held) >= batch:
            pairs = [torch.cat(side) for side in zip(*held, strict=True)]
            yield tuple(side[:batch] for side in pairs)
            held = [tuple(side[batch:] for side in pairs)]
    if any(len(before) for before, _ in held):
        yield tuple(torch.cat(side) for side in zip(*held, strict=True))


def labels_of(labeller: Labeller, samples: Iterable[dict[str, Any]], how: How) -> dict[str, Tensor]:
    """{key: labels of each frame and the one `gap` later [t − gap …]}; shard, model and `how` alone decide them."""
    counts: dict[str, int] = {}

    def clips() -> Iterator[Frames]:
        for key, frames in decoded(samples):
            counts[key] = max(0, len(frames) - how.gap)
            yield frames

    dtype, rows = AUTOCAST[how.precision], [labeller.none]
    with torch.inference_mode(), torch.autocast(how.device, dtype, enabled=dtype is not None):
        for before, after in batches(clips(), gap=how.gap, batch=how.batch):
            rows.append(labeller.label(before.to(how.device), after.to(how.device)).to(labeller.none))
    return dict(zip(counts, torch.cat(rows).split(list(counts.values())), strict=True))


def label_shard(work: Work, *, folder: str, trained: str, how: How) -> Labelled:
    """Write one sidecar unless it is there (it appears only when whole). `trained`: the hash of `folder`'s manifest."""
    if work.sidecar.exists():
        return Labelled(sum(map(len, load_file(work.sidecar).values())), 0)
    with one_thread():
        found = labels_of(_kept(folder, trained, how.device), read_shard(work.shard), how)
    with atomic_path(work.sidecar) as partial_path:
        save_file({key: rows.clone() for key, rows in found.items()}, partial_path)
    rows = sum(map(len, found.values()))
    return Labelled(rows, rows)


@contextmanager
def one_thread() -> Iterator[None]:
    """Sums in the same order whatever the machine and `num_workers`: processes share the cores, not the shards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@lru_cache(maxsize=1)
def _kept(folder: str, trained: str, device: str) -> Labeller:
    """One model a process, read again when another has been trained into its folder."""
    keep_freed()
    labeller = open_labeller(Path(folder))
    labeller.model.to(device)
    return labeller


class Meter:
    """Counts labels, and those of this run a second, the start of processes included: on the bar, and in the stage's log."""

    def __init__(self) -> None:
        self.started, self.rows, self.fresh, self.pairs_per_s = time.perf_counter(), 0, 0, 0.0

    def __call__(self, labelled: Labelled) -> str:
        self.rows, self.fresh = self.rows + labelled.rows, self.fresh + labelled.fresh
        self.pairs_per_s = self.fresh / (time.perf_counter() - self.started)
        return f"{self.pairs_per_s:.0f} pairs/s"


def write_labels(cfg: DictConfig, stage: Stage, labeller: Labeller, how: How) -> Meter:
    """All sidecars of `cfg.clips`."""
    works = [
        Work(path, stage.out / f"{labeller.stem}-{i:06d}.safetensors")
        for i, path in enumerate(shard_paths(Path(cfg.clips)))
    ]
    label = partial(label_shard, folder=str(cfg.quantizer), trained=stage.inputs["quantizer"], how=how)
    meter = Meter()
    for _ in run_all(label, works, executor=instantiate(cfg.executor), label="labels", tell=meter):
        pass
    stage.log(stage="label", pairs=meter.fresh, pairs_per_s=meter.pairs_per_s)
    return meter


def main(cfg: DictConfig) -> None:
    """`lapa label quantizer=DIR clips=DIR out=DIR`: sidecars, manifest, and what the model's kind reports of them."""
    if cfg.precision not in (known := (AUTO, *AUTOCAST)):
        raise ValueError(f"no precision {cfg.precision!r}; there are {', '.join(known)}")
    inputs = {"quantizer": cfg.quantizer, "clips": cfg.clips, "probe": cfg.probe}
    with open_stage(cfg, inputs=inputs) as stage:
        if stage.done:
            return
        labeller = open_labeller(Path(cfg.quantizer))
        trained, clips = read_manifest(Path(cfg.quantizer)), read_manifest(Path(cfg.clips))
        if clips["image_px"] != trained["image_px"]:
            raise ValueError(
                f"the clips are {clips['image_px']} px; the quantizer was trained on {trained['image_px']} px"
            )
        facts = labeller.facts(trained, clips, cfg)
        gap = gap_in(clips, facts["gap_s"])
        facts["gap_s"] = gap / clips["fps"]  # the nearest that their rate has
        how = How(gap, cfg.batch_size, resolve(cfg.precision, cfg.device), cfg.device)
        meter = write_labels(cfg, stage, labeller, how)
        found, sentence = labeller.report(stage.out, cfg, gap)
        made = {"fps": clips["fps"], "precision": how.precision}
        stage.finish(record=labeller.record, count=meter.rows, **made, **found, **facts)
    rich_print(f"{stage.out}: {meter.rows} labels, {meter.pairs_per_s:.0f} pairs/s; {sentence}")
