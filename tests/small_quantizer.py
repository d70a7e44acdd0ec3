"""What the quantizer's tests share: its settings at 24 px, and clips of drifting squares."""

from pathlib import Path
from typing import Any

import hydra
import torch
from omegaconf import OmegaConf
from sprites import sprites
from torch import Tensor

from lapa.config import compose
from lapa.shards import write_shard
from lapa.stage import open_stage
from lapa.video import encode_mp4

SMALL = (
    "image_px=24 patch_px=3 dim=48 depth_encoder=1 depth_decoder=1 motion.match_px=24 motion.grid=8 "
    "motion.radius_px=5 motion.most_changed=64 targets.residual.patch_px=3 targets.pixels.patch_px=3"
)


def settings(*overrides: str, bottleneck: str = "rvq") -> dict[str, Any]:
    """`configs/model/quantizer.yaml`, made small; `overrides` are of its `settings` (`~key` takes one away)."""
    words = [
        "~model.settings." + word[1:] if word[0] == "~" else "model.settings." + word
        for word in (*SMALL.split(), *overrides)
    ]
    choice = f"bottleneck@model.settings.bottleneck={bottleneck}"
    cfg = compose("train", ["experiment=quantizer", "clips=none", "out=none", choice, *words])
    plain = OmegaConf.to_container(cfg.model, resolve=True)
    assert isinstance(plain, dict)
    return plain


def build(*overrides: str, bottleneck: str = "rvq", seed: int = 0) -> Any:
    """The small quantizer itself."""
    torch.manual_seed(seed)
    return hydra.utils.instantiate(settings(*overrides, bottleneck=bottleneck)["settings"], _convert_="all")


def drifting(count: int, frames: int, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Clips uint8 [t, 3, 24, 24] of a square that goes to and fro between two places, and its position [t, 1] as motion."""
    before, after, direction = sprites(count, 24, seed)
    clips = [torch.stack([(before[i], after[i])[t % 2] for t in range(frames)]) for i in range(count)]
    return [(clip, direction[i].float() * (torch.arange(frames)[:, None] % 2)) for i, clip in enumerate(clips)]


def clip_folder(folder: Path, *, count: int = 12, frames: int = 9, fps: float = 2.0, image_px: int = 24) -> Path:
    """A finished stage of clips in two shards, with motion.npy."""
    cfg = OmegaConf.create({"out": str(folder), "frames": frames, "fps": fps})
    with open_stage(cfg, inputs={}) as stage:
        samples = [
            {
                "__key__": f"clip{i:03d}", "mp4": encode_mp4(clip, fps=fps), "motion.npy": motion.numpy(),
                "json": {"text": "a square", "fps": fps, "source": "sprites", "embodiment": "square", "frames": frames},
            }
            for i, (clip, motion) in enumerate(drifting(count, frames, seed=1))
        ]  # fmt: skip
        for number in range(2):
            write_shard(folder / f"clips-{number:06d}.tar", samples[number::2])
        stage.finish(record="Clip", count=count, fps=fps, image_px=image_px, min_clip_s=frames / fps)
    return folder
