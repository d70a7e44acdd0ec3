"""A quantizer and clips whose motion is known in, quality.json and two pictures out: code use beside probes of true motion."""

import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from lapa.files import write_json
from lapa.shards import ShardIndex, shard_paths
from lapa.video import decode_mp4
from quantizer.model import Quantizer
from quantizer.pictures import draw_strips, draw_swaps
from quantizer.probe import linear_probe, mlp_probe, one_hot

TRUTHS = {"motion.npy": "motion of the tool", "state.npy": "change of the state"}  # in order of preference
THUMB_PX = 8  # the first frame's features: its pixels, shrunk to this
BATCH = 256


class Pairs(NamedTuple):
    """Frame pairs of many clips with what truly happened between them."""

    before: UInt8[Tensor, "b 3 h w"]
    after: UInt8[Tensor, "b 3 h w"]
    start: Float[Tensor, "b m"]  # true position or state before
    change: Float[Tensor, "b m"]  # by how much it changed, in its own units
    clip: Int64[Tensor, "b"]  # the same for all clips of one video: a probe is scored on videos it has not seen
    truth: str  # what `change` is, in words; "optical flow" when the clips know no truth


def gather(folder: Path, *, gap: int, max_clips: int, pairs_per_clip: int) -> Pairs:
    """Evenly spread pairs of evenly spread clips. ValueError when no clip is longer than the gap."""
    index = ShardIndex(shard_paths(folder))
    chosen = np.unique(np.linspace(0, len(index) - 1, min(max_clips, len(index))).round().astype(int))
    name, truth = next(((name, words) for name, words in TRUTHS.items() if name in index[0]), (None, "optical flow"))
    parts = [_clip_pairs(index[int(i)], episode_number(index.keys[i]), name, gap, pairs_per_clip) for i in chosen]
    kept = [part for part in parts if part is not None]
    if not kept:
        raise ValueError(f"no clip in {folder} is longer than the gap of {gap} frames")
    before, after, start, change, clip = (torch.cat(columns) for columns in zip(*kept, strict=True))
    return Pairs(before, after, start, change, clip, truth)


def episode_number(key: str) -> int:
    """One number for all clips that were cut from one video: their keys agree up to the @."""
    return zlib.crc32(key.partition("@")[0].encode())


def _clip_pairs(
    sample: dict[str, Any], number: int, name: str | None, gap: int, count: int
) -> tuple[Tensor, ...] | None:
    frames = decode_mp4(sample["mp4"])
    if len(frames) <= gap:
        return None
    starts = torch.from_numpy(np.unique(np.linspace(0, len(frames) - gap - 1, count).round().astype(int)))
    path = torch.from_numpy(np.asarray(sample[name], np.float32)) if name else torch.zeros(len(frames), 1)
    return (
        frames[starts],
        frames[starts + gap],
        path[starts],
        path[starts + gap] - path[starts],
        torch.full_like(starts, number),
    )


@torch.inference_mode()
def describe(quantizer: Quantizer, pairs: Pairs) -> tuple[Tensor, Tensor, Tensor]:
    """Latents before quantisation [b, k·d], codes [b, k], mean optical flow [b, 2]."""
    rows = []
    for before, after in zip(pairs.before.split(BATCH), pairs.after.split(BATCH), strict=True):
        latents = quantizer.encode(before, after)
        rows.append((latents.flatten(1), quantizer.bottleneck(latents).codes, quantizer.mean_motion(before, after)))
    latents, codes, flow = (torch.cat(column) for column in zip(*rows, strict=True))
    return latents, codes, flow


def probes(
    latents: Float[Tensor, "b d"], codes: Int64[Tensor, "b k"], pairs: Pairs, *, num_codes: int, seed: int
) -> dict[str, float]:
    """R² on clips not fitted on, from codes and from what a code must beat."""
    coded, target, clips = one_hot(codes, num_codes), pairs.change, pairs.clip
    thumbs = F.adaptive_avg_pool2d(pairs.before.float() / 255, THUMB_PX).flatten(1)
    shuffled = coded[torch.randperm(len(coded), generator=torch.Generator().manual_seed(seed))]
    return {
        "codes_linear": linear_probe(coded, target, clips),
        "codes_mlp": mlp_probe(coded, target, clips, seed),
        "codes_and_state": mlp_probe(torch.cat((coded, pairs.start), 1), target, clips, seed),
        "latents_linear": linear_probe(latents, target, clips),
        "state_only": mlp_probe(pairs.start, target, clips, seed),
        "first_frame": mlp_probe(thumbs, target, clips, seed),
        "shuffled": mlp_probe(shuffled, target, clips, seed),
    }


def write_quality(
    quantizer: Quantizer, folder: Path, out: Path, *, gap: int, uses: Int64[Tensor, "num_codes"], max_clips: int,
    pairs_per_clip: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Measure on the clips in `folder`; write quality.json, strips.png, swaps.png into `out`; return the former.

    `uses` counts each code over all labels: perplexity is of those.
    """
    pairs = gather(folder, gap=gap, max_clips=max_clips, pairs_per_clip=pairs_per_clip)
    latents, codes, flow = describe(quantizer, pairs)
    if pairs.truth == "optical flow":
        pairs = pairs._replace(change=flow)
    share = uses / uses.sum()
    found = {
        "perplexity": float(torch.exp(-(share * share.clamp_min(1e-12).log()).sum())),
        "codes_used": int((uses > 0).sum()),
        "num_codes": quantizer.num_codes,
        "distinct_steps": len(codes.unique(dim=0)),
        "pairs": len(codes),
        "probe_of": pairs.truth,
        "probe": probes(latents, codes, pairs, num_codes=quantizer.num_codes, seed=seed),
    }
    draw_strips(quantizer, pairs.before, pairs.after, codes, out / "strips.png")
    draw_swaps(quantizer, pairs.before, pairs.after, codes, out / "swaps.png")
    write_json(out / "quality.json", found)
    return found
