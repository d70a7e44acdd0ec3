"""Clip shards and a trained quantizer in, one file of codes a shard out (row i: frames i → i + gap), with a report card."""

from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from omegaconf import DictConfig
from rich import print as rich_print
from safetensors.numpy import load_file, save_file
from torch import Tensor

from lapa import checkpoint
from lapa.executor import run_all
from lapa.files import atomic_path
from lapa.shards import read_shard, shard_paths
from lapa.stage import open_stage, read_manifest
from lapa.video import decode_mp4
from quantizer.model import Quantizer
from quantizer.module import ALLOWED
from quantizer.quality import write_quality

GAP_SLACK = 0.2  # share by which the gap in whole frames may differ from the quantizer's


class Work(NamedTuple):
    """One shard to label."""

    shard: Path
    sidecar: Path


def load(folder: Path) -> Quantizer:
    """A trained quantizer in `eval` mode; ValueError when the folder holds another kind of model or a damaged one."""
    settings = checkpoint.load_settings(Path(folder))
    if "targets" not in settings.get("model", {}):
        raise ValueError(f"{folder} holds no quantizer: its settings have {sorted(settings)}")
    model = checkpoint.build(settings["model"], allowed=ALLOWED)
    checkpoint.load_weights(Path(folder), model)
    return model.eval()


def gap_frames(gap_s: float, fps: float) -> int:
    """The quantizer's gap in frames of these clips; ValueError when no whole number comes near."""
    gap = round(gap_s * fps)
    if gap < 1 or abs(gap / fps - gap_s) > GAP_SLACK * gap_s:
        raise ValueError(
            f"the quantizer compares frames {gap_s:g} s apart, which is {gap_s * fps:.2f} frames at {fps:g} Hz"
        )
    return gap


@torch.inference_mode()
def codes_of(quantizer: Quantizer, frames: UInt8[Tensor, "t 3 h w"], *, gap: int, batch: int) -> Int64[Tensor, "n k"]:
    """The codes of each frame and the one `gap` later, n = t − gap (0 when the clip is not longer)."""
    starts = torch.arange(max(0, len(frames) - gap))
    parts = [quantizer.codes(frames[i], frames[i + gap]) for i in starts.split(batch)]
    return torch.cat(parts) if len(starts) else torch.empty(0, quantizer.codes_per_step, dtype=torch.int64)


def label_shard(work: Work, *, folder: str, gap: int, batch: int) -> Int64[Tensor, "num_codes"]:
    """Write one sidecar unless it is there (it appears only when whole); returns how often each code occurs in it."""
    quantizer = _kept(folder)
    if not work.sidecar.exists():
        found = {
            s["__key__"]: codes_of(quantizer, decode_mp4(s["mp4"]), gap=gap, batch=batch)
            for s in read_shard(work.shard)
        }
        with atomic_path(work.sidecar) as partial_path:
            save_file({key: codes.numpy().astype(np.int16) for key, codes in found.items()}, partial_path)
    codes = [rows.astype(np.int64).ravel() for rows in load_file(work.sidecar).values()]
    return torch.bincount(torch.from_numpy(np.concatenate(codes)), minlength=quantizer.num_codes)


@lru_cache(maxsize=1)
def _kept(folder: str) -> Quantizer:
    """One model a process."""
    return load(Path(folder))


def main(cfg: DictConfig) -> None:
    """`lapa label quantizer=DIR clips=DIR out=DIR`: sidecars, manifest, quality.json and two pictures."""
    inputs = {"quantizer": cfg.quantizer, "clips": cfg.clips, "probe": cfg.probe}
    with open_stage(cfg, inputs=inputs) as stage:
        if stage.done:
            return
        facts = _facts(Path(cfg.quantizer), read_manifest(Path(cfg.clips)))
        gap = gap_frames(facts["gap_s"], facts["fps"])
        works = [
            Work(path, stage.out / f"codes-{i:06d}.safetensors") for i, path in enumerate(shard_paths(Path(cfg.clips)))
        ]
        label = partial(label_shard, folder=str(cfg.quantizer), gap=gap, batch=cfg.batch_size)
        uses = torch.stack(list(run_all(label, works, num_workers=cfg.num_workers, label="labels"))).sum(0)
        found = write_quality(
            load(Path(cfg.quantizer)), Path(cfg.probe or cfg.clips), stage.out, gap=gap, uses=uses,
            max_clips=cfg.probe_clips, pairs_per_clip=cfg.pairs_per_clip, seed=cfg.seed,
        )  # fmt: skip
        steps = int(uses.sum()) // facts["codes_per_step"]
        stage.finish(record="LatentStep", count=steps, perplexity=found["perplexity"], **facts)
    rich_print(f"{stage.out}: {steps} labels; {_sentence(found)}")


def _facts(quantizer: Path, clips: dict[str, Any]) -> dict[str, Any]:
    """What the labels' readers must know; the quantizer's hash stands among the manifest's inputs."""
    trained = read_manifest(quantizer)
    if clips["image_px"] != trained["image_px"]:
        raise ValueError(f"the clips are {clips['image_px']} px; the quantizer was trained on {trained['image_px']} px")
    return {key: trained[key] for key in ("gap_s", "num_codes", "codes_per_step")} | {"fps": clips["fps"]}


def _sentence(found: dict[str, Any]) -> str:
    """Code use and the probe in one line: neither means anything alone."""
    probe = found["probe"]
    scores = f"{probe['codes_linear']:.2f} from codes (linear), {probe['shuffled']:.2f} from shuffled codes"
    used = f"{found['codes_used']} of {found['num_codes']} codes in use, perplexity {found['perplexity']:.2f}"
    return f"{used}; R² of the {found['probe_of']}: {scores}"
