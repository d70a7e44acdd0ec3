"""A tiny policy, clips with codes and demonstrations as other rooms would have written them; for the policy's tests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.numpy import save_file

from lapa.config import compose
from lapa.shards import write_shard
from lapa.stage import open_stage
from lapa.train import main
from lapa.video import encode_mp4

PX, FRAMES = 32, 12
BACKBONE = [
    "model.backbone.image_px=32", "model.backbone.channels=[8,16]", "model.backbone.strides=[2,2]",
    "model.backbone.num_points=4", "model.backbone.width=32", "model.backbone.num_heads=2",
    "model.backbone.feed_forward=64", "model.backbone.pointer_hidden=16", "model.backbone.words.buckets=256",
]  # fmt: skip
STREAM = ["data.batch_size=4", "data.val_batches=1", "data.clips_per_block=4", "data.steps_per_clip=4"]
TRAINER = [
    "trainer.max_steps=4", "trainer.val_check_interval=4", "trainer.log_every_n_steps=1", "trainer.precision=32-true",
    "num_workers=0", "trainer.save_every=2",
]  # fmt: skip
NAMES = ["joint1", "joint2", "gripper"]


def train_config(experiment: str, *more: str):
    """The real configuration of an experiment, at toy size."""
    return compose("train", [f"experiment={experiment}", *BACKBONE, *STREAM, *TRAINER, *more])


def video(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return encode_mp4(torch.from_numpy(rng.integers(0, 256, (FRAMES, 3, PX, PX), dtype=np.uint8)), fps=10)


def write_clips(folder: Path, *, count: int = 20, first: int = 0) -> Path:
    """A finished folder of clips."""
    with open_stage(OmegaConf.create({"out": str(folder), "first": first}), {}) as stage:
        rows = [
            {"__key__": f"c{i}", "json": {"text": "reach the red block", "fps": 10}, "mp4": video(i)}
            for i in range(first, first + count)
        ]
        stage.finish(record="Clip", count=write_shard(folder / "clips-000000.tar", rows), fps=10, image_px=PX)
    return folder


def write_codes(
    folder: Path, clips: Path, *, num_codes: int = 8, count: int = 20, prefix: str = "c", quantizer: Path | None = None
) -> Path:
    """Codes for `write_clips`: code j of clip i at frame t is (i + j + t) modulo num_codes."""
    inputs = {"clips": clips, "quantizer": quantizer}
    with open_stage(OmegaConf.create({"out": str(folder), "num_codes": num_codes}), inputs) as stage:
        grid = np.arange(FRAMES - 5)[:, None] + np.arange(4)
        rows = {f"{prefix}{i}": ((grid + i) % num_codes).astype(np.int16) for i in range(count)}
        save_file(rows, folder / "codes-000000.safetensors")
        stage.finish(record="LatentStep", count=count, num_codes=num_codes, codes_per_step=4, gap_s=0.5, fps=10)
    return folder


def write_demos(
    folder: Path, *, embodiment: str = "panda", cameras: tuple[str, ...] = ("front",), names: Sequence[str] | None = None,
    first: int = 0,
) -> Path:  # fmt: skip
    """Demonstrations of a robot of two joints and a gripper, or of `names`, which lead their state by a little."""
    names = NAMES if names is None else names
    facts = {"embodiment": embodiment, "cameras": list(cameras)}
    facts |= {"state_names": list(names), "action_names": list(names)}
    with open_stage(OmegaConf.create({"out": str(folder), **facts}), {}) as stage:
        rows = [demo(i, cameras, len(names)) for i in range(first, first + 20)]
        count = write_shard(folder / "demos-000000.tar", rows)
        stage.finish(record="Demo", count=count, fps=10, image_px=PX, **facts)
    return folder


def write_watched(root: Path) -> tuple[Path, Path]:
    """Demonstrations, and a latent policy trained in `root/latent` on `root/clips` and their `root/codes`."""
    clips, demos = write_clips(root / "clips"), write_demos(root / "demos")
    codes = write_codes(root / "codes", clips)
    main(train_config("latent_policy", f"clips={clips}", f"codes={codes}", f"out={root / 'latent'}"))
    return demos, root / "latent"


def demo(seed: int, cameras: tuple[str, ...], joints: int) -> dict:
    rng = np.random.default_rng(seed)
    state = np.cumsum(rng.normal(0, 0.1, (FRAMES, joints)), axis=0).astype(np.float32)
    action = state + rng.normal(0.05, 0.02, state.shape).astype(np.float32)
    more = {f"{camera}.mp4": video(seed + 100) for camera in cameras[1:]}
    about = {"text": "reach the red block", "fps": 10}
    return {"__key__": f"d{seed}", "json": about, "mp4": video(seed), "state.npy": state, "action.npy": action, **more}


def killed_and_resumed(cfg, kind, method, step):
    """Train until `method` of the Lightning module `kind` is called after `step` steps; then again, to the end."""
    whole = getattr(kind, method)

    def cut(self, *args):
        if self.trainer.global_step == step:
            raise RuntimeError("power cut")
        return whole(self, *args)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(kind, method, cut)
        with pytest.raises(RuntimeError, match="power cut"):
            main(cfg)
    assert (Path(cfg.out) / "resume" / "last.ckpt").is_file()
    main(cfg)
