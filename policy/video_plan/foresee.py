"""A planner and held-out clips in; what it imagines beside what happened, a picture and errors, out."""

from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.utils.data import default_collate

from lapa.checkpoint import seen_by, training_of
from lapa.files import write_json
from lapa.pictures import save_grid
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import manifest_hash, open_stage, read_manifest
from lapa.stream import read_clip, split_indices
from lapa.video import gap_frames
from policy.trunk import stack_cameras
from policy.video_plan.data import PlanStep, plan_step
from policy.video_plan.model import Frames
from policy.video_plan.module import squared_error
from policy.video_plan.player import Planner, load_plan


def main(cfg: DictConfig) -> None:
    """`lapa foresee plan=DIR clips=DIR out=DIR`: foreseen.json and sheet.png."""
    with open_stage(cfg, inputs={"plan": cfg.plan, "clips": cfg.clips}) as stage:
        if stage.done:
            return
        plan = load_plan(cfg.plan, cfg.device)
        starts = read_starts(Path(cfg.clips), plan, cfg, held_out(Path(cfg.plan), Path(cfg.clips), cfg.val_percent))
        now, texts = stack_cameras(starts.images, plan.cameras), list(starts.text)
        guesses = {
            "imagined": plan.imagine(now, texts),
            "other words": plan.imagine(now, texts[1:] + texts[:1]),
            "copied": now.expand_as(starts.frames),
        }
        draw(starts, now, guesses["imagined"], stage.out / "sheet.png", shown=cfg.shown)
        errors = {name: squared_error(guess, starts) for name, guess in guesses.items()}
        found = {name: (error / errors["copied"]).tolist() for name, error in errors.items() if name != "copied"}
        write_json(stage.out / "foreseen.json", {"gap_s": plan.gap_s, "clips": len(texts), "error": found})
        stage.finish(record="Foreseen", count=len(texts), gap_s=plan.gap_s)
    Console().print(table(found, plan.gap_s, len(texts)))


def held_out(plan: Path, clips: Path, val_percent: int | None) -> int:
    """How many percent of the clips to read; ValueError when the plan was trained on some of those."""
    wanted = training_of(plan)["config"]["data"]["val_percent"] if val_percent is None else val_percent
    own = seen_by(plan).get(manifest_hash(clips), wanted)
    if wanted > own:
        raise ValueError(f"the plan was trained on {clips}: it held out val_percent={own}, not {wanted}")
    return wanted


def read_starts(folder: Path, plan: Planner, cfg: DictConfig, val_percent: int) -> PlanStep:
    """A moment of each held-out clip that all pictures follow, up to `max_clips`; ValueError when there is none."""
    manifest, index = read_manifest(folder), ShardIndex(shard_paths(folder))
    if manifest["image_px"] != plan.image_px:
        raise ValueError(f"{folder} has pictures of {manifest['image_px']} px; the plan reads {plan.image_px} px")
    gap, rng = gap_frames(plan.gap_s, manifest["fps"]), np.random.default_rng(cfg.seed)
    step = partial(plan_step, camera=plan.cameras[0], gap=gap, num_frames=plan.num_frames)
    clips = (read_clip(index, i) for i in split_indices(index.keys, split="val", val_percent=val_percent))
    lengths = ((clip, len(clip["frames"]) - gap * plan.num_frames) for clip in clips)
    long_enough = islice(((clip, length) for clip, length in lengths if length > 0), cfg.max_clips)
    found = [step(clip, int(rng.integers(length))) for clip, length in long_enough]
    if not found:
        raise ValueError(f"no held-out clip of {folder} is longer than {plan.num_frames} gaps of {gap} frames")
    return default_collate(found)


def draw(starts: PlanStep, now: Tensor, imagined: Frames, path: Path, *, shown: int) -> None:
    """A row a clip: now; then for each picture ahead imagined, true, and how either differs from now (grey: not at all)."""
    first = now[:, 0].float()
    columns = [first]
    for ahead in range(imagined.shape[1]):
        pair = [part[:, ahead].float() for part in (imagined, starts.frames)]
        columns += [*pair, *(128 + 2 * (picture - first) for picture in pair)]
    save_grid(torch.stack(columns, dim=1)[:shown], path)


def table(found: dict[str, list[float]], gap_s: float, clips: int) -> Table:
    """Errors by how far ahead."""
    ahead = [f"{gap_s * (i + 1):g} s" for i in range(len(found["imagined"]))]
    shown = Table("squared error / that of copying", *ahead, title=f"{clips} held-out clips; 1 is foretelling nothing")
    for name, errors in found.items():
        shown.add_row(name, *(f"{error:.2f}" for error in errors))
    return shown
