"""A quantizer and held-out clips in; rollouts of its world model out: videos, sheets, code grids, PSNR by step."""

from itertools import islice, product
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import torch
from einops import rearrange, repeat
from jaxtyping import Int64, UInt8
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from torch import Tensor

from lapa.files import atomic_path, write_json
from lapa.pictures import save_grid
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import open_stage, read_manifest
from lapa.stream import read_clip, split_indices
from lapa.video import encode_mp4, gap_frames
from quantizer.labellers import Codes, load
from quantizer.model import Quantizer
from quantizer.pictures import ROWS, draw_swaps, varied
from quantizer.world import Rollout, held_still, imagine, psnr_by_step, random_codes, true_codes, unroll

BASELINES = ("copy", "random")  # measured, not drawn


class Scenes(NamedTuple):
    """Held-out clips, every `gap`-th frame of each, and the codes that lead from one to the next."""

    keys: list[str]
    texts: list[str]
    frames: UInt8[Tensor, "b s 3 h w"]
    codes: Int64[Tensor, "b t k"]


def read_scenes(folder: Path, quantizer: Quantizer, cfg: DictConfig, gap_s: float, val_percent: int) -> Scenes:
    """Up to `max_clips` of the validation split that have `steps` gaps; ValueError when there is none."""
    manifest = read_manifest(folder)
    if manifest["image_px"] != quantizer.image_px:
        raise ValueError(
            f"{folder} has clips of {manifest['image_px']} px; the quantizer reads {quantizer.image_px} px"
        )
    gap, index = gap_frames(gap_s, manifest["fps"]), ShardIndex(shard_paths(folder))
    held_out = (read_clip(index, i) for i in split_indices(index.keys, split="val", val_percent=val_percent))
    long_enough = (sample for sample in held_out if len(sample["frames"]) > cfg.steps * gap)
    found = [
        (sample["__key__"], sample["json"]["text"], sample["frames"][: cfg.steps * gap + 1 : gap])
        for sample in islice(long_enough, cfg.max_clips)
    ]
    if not found:
        raise ValueError(f"no held-out clip of {folder} is longer than steps={cfg.steps} gaps of {gap} frames")
    keys, texts, frames = (list(column) for column in zip(*found, strict=True))
    stacked = torch.stack(frames)
    return Scenes(keys, texts, stacked, true_codes(quantizer, stacked))


def think(quantizer: Quantizer, thinker: Any, scenes: Scenes) -> Rollout:
    """What a latent policy has in mind from each first frame on. ValueError when its codes are not this quantizer's."""
    theirs, ours = (thinker.num_codes, thinker.codes_per_step), (quantizer.num_codes, quantizer.codes_per_step)
    if theirs != ours:
        raise ValueError(
            f"the policy names {theirs[1]} codes of {theirs[0]}; this quantizer has {ours[1]} of {ours[0]}"
        )
    steps = scenes.codes.shape[1]
    return unroll(quantizer, scenes.frames[:, 0], lambda now, _: thinker.codes(now, scenes.texts), steps=steps)


def rollouts(quantizer: Quantizer, scenes: Scenes, thinker: Any | None, seed: int) -> dict[str, Rollout]:
    """By name: the truth, what the true codes give, what the policy thinks, and the two that must be beaten."""
    first = scenes.frames[:, 0]
    thought = {"policy": think(quantizer, thinker, scenes)} if thinker is not None else {}
    return {
        "truth": scenes.frames,
        "codes": imagine(quantizer, first, scenes.codes),
        **thought,
        "copy": held_still(scenes.frames),
        "random": imagine(quantizer, first, random_codes(quantizer, scenes.codes, seed)),
    }


@torch.inference_mode()
def draw_codes_on(quantizer: Quantizer, givers: Scenes, takers: Scenes, path: Path) -> None:
    """`draw_swaps` with codes of the givers' most varied moments on frames of the takers, whatever their scene and body."""
    before, after = (_moments(givers.frames[:, part]) for part in (slice(None, -1), slice(1, None)))
    given = varied(quantizer.motions(before, after).drift)
    draw_swaps(quantizer, takers.frames[:ROWS, 0], after[given], _moments(givers.codes)[given], path)


def _moments(values: Tensor) -> Tensor:
    return rearrange(values, "b t ... -> (b t) ...")


def draw(rows: dict[str, Rollout], scenes: Scenes, out: Path, cfg: DictConfig, gap_s: float) -> None:
    """`<key>.mp4`: the rows side by side, in real time; `sheet.png`: a row of time for each, clip by clip."""
    drawn = torch.stack([frames[: cfg.shown] for name, frames in rows.items() if name not in BASELINES])
    save_grid(rearrange(drawn, "r b s c h w -> (b r) s c h w").float(), out / "sheet.png")
    for key, clip in zip(scenes.keys, drawn.unbind(1), strict=False):
        wide = repeat(clip, "r s c h w -> s c (h y) (r w x)", y=cfg.zoom, x=cfg.zoom)
        with atomic_path(out / f"{key}.mp4") as partial:
            partial.write_bytes(encode_mp4(wide, fps=1 / gap_s))


def show(found: dict[str, Any]) -> Table:
    """PSNR by step, in one table: `codes` mean something as far as they stay above `copy` and `random`."""
    table = Table(
        "rollout", *(f"step {i + 1}" for i in range(found["steps"])), title=f"PSNR in dB, {found['clips']} clips"
    )
    for name, values in found["psnr_db"].items():
        table.add_row(name, *(f"{value:.2f}" for value in values))
    return table


def main(cfg: DictConfig) -> None:
    """`lapa imagine quantizer=DIR clips=DIR out=DIR`: imagined.json, sheet.png, a video a clip, code grids."""
    inputs = {key: cfg[key] for key in ("quantizer", "clips", "latent_policy", "others")}
    with open_stage(cfg, inputs=inputs) as stage:
        if stage.done:
            return
        quantizer = Codes(load(Path(cfg.quantizer))).model  # refuses one without codes
        trained = read_manifest(Path(cfg.quantizer))
        gap_s = trained["gap_s"]
        held_out = trained["config"]["data"]["val_percent"] if cfg.val_percent is None else cfg.val_percent
        thinker = hydra.utils.instantiate(cfg.thinker) if cfg.latent_policy else None
        folders = {name: Path(cfg[name]) for name in ("clips", "others") if cfg[name]}
        scenes = {name: read_scenes(folder, quantizer, cfg, gap_s, held_out) for name, folder in folders.items()}
        rows = rollouts(quantizer, scenes["clips"], thinker, cfg.seed)
        draw(rows, scenes["clips"], stage.out, cfg, gap_s)
        for givers, takers in product(scenes, scenes):
            draw_codes_on(quantizer, scenes[givers], scenes[takers], stage.out / f"codes_of_{givers}_on_{takers}.png")
        psnr = {name: psnr_by_step(guess, rows["truth"]).tolist() for name, guess in rows.items() if name != "truth"}
        found = {"steps": cfg.steps, "gap_s": gap_s, "clips": len(scenes["clips"].keys), "psnr_db": psnr}
        found |= {"drawn": [name for name in rows if name not in BASELINES]}
        write_json(stage.out / "imagined.json", found)
        stage.finish(record="Imagined", count=found["clips"], gap_s=gap_s)
    Console().print(show(found))
