"""Videos of one task done by two bodies in, do their codes resemble each other more than those of other tasks? A table out.

    python benchmarks/bench_body_pairs.py clips=FOLDER quantizer=FOLDER videos=FOLDER

`videos` has a manifest.jsonl that names the "pair" of each video. A video is the shares of its codes, slot by slot, less the
mean over all videos of its body (first or second of the pair); likeness is the cosine. The p-value is that of 10,000 shuffled
pairings. Two bodies before one camera share the scene as well: the first frames' likeness stands beside.
"""

import json
import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional as F

from lapa.shards import ShardIndex, shard_paths
from lapa.stage import read_manifest
from lapa.stream import read_clip
from lapa.video import gap_frames
from quantizer.labellers import load
from quantizer.probe import one_hot

SHUFFLES, THUMB_PX, BATCH = 10_000, 8, 256


def pairs_of(videos: Path) -> list[list[str]]:
    """The beginnings of clip keys of the two videos of each pair."""
    rows = [json.loads(line) for line in (videos / "manifest.jsonl").read_text().splitlines()]
    named: dict[str, list[str]] = {}
    for row in rows:
        if "pair" in row:
            named.setdefault(row["pair"], []).append(
                Path(row["path"]).with_suffix("").as_posix().replace("/", "_") + "-"
            )
    return [names for names in named.values() if len(names) == 2]


@torch.inference_mode()
def described(index: ShardIndex, start: str, quantizer: torch.nn.Module, gap: int) -> tuple[Tensor, Tensor] | None:
    """Shares of codes, and the mean first frame, over all clips of one video; None when none was kept."""
    clips = [read_clip(index, i)["frames"] for i, key in enumerate(index.keys) if key.startswith(start)]
    before, after = (
        torch.cat([c[:-gap] for c in clips] or [torch.empty(0)]),
        torch.cat([c[gap:] for c in clips] or [torch.empty(0)]),
    )
    if not len(before):
        return None
    codes = torch.cat([quantizer.codes(*part) for part in zip(before.split(BATCH), after.split(BATCH), strict=True)])  # type: ignore[operator]
    thumbs = F.adaptive_avg_pool2d(before.float() / 255, THUMB_PX).flatten(1)
    return one_hot(codes, quantizer.num_codes).mean(0), thumbs.mean(0)  # type: ignore[arg-type]


def likeness(rows: Tensor) -> tuple[float, float, float]:
    """Of rows [pairs, 2, d]: mean cosine of true pairs, of shuffled ones, and the share of shuffles that do as well."""
    centred = F.normalize(rows - rows.mean(0), dim=-1)
    cosines = centred[:, 0] @ centred[:, 1].T
    count, rng = len(rows), torch.Generator().manual_seed(0)
    shuffled = torch.stack(
        [cosines[torch.arange(count), torch.randperm(count, generator=rng)].mean() for _ in range(SHUFFLES)]
    )
    true = cosines.diagonal().mean()
    return float(true), float(shuffled.mean()), float(((shuffled >= true).sum() + 1) / (SHUFFLES + 1))


def main(clips: str, quantizer: str, videos: str) -> None:
    """Describe both videos of each pair and compare."""
    model, index = load(Path(quantizer)), ShardIndex(shard_paths(Path(clips)))
    gap = gap_frames(read_manifest(Path(quantizer))["gap_s"], read_manifest(Path(clips))["fps"])
    found = [[described(index, start, model, gap) for start in names] for names in pairs_of(Path(videos))]
    whole = [pair for pair in found if all(video is not None for video in pair)]
    table = Table(
        "likeness of",
        "same task",
        "shuffled",
        "p",
        title=f"{len(whole)} of {len(found)} pairs have clips of both bodies",
    )
    for number, name in enumerate(("codes", "first frames")):
        true, shuffled, p = likeness(torch.stack([torch.stack([video[number] for video in pair]) for pair in whole]))  # type: ignore[index]
        table.add_row(name, f"{true:.2f}", f"{shuffled:.2f}", f"{p:.4f}")
    Console().print(table)


if __name__ == "__main__":
    main(**dict(word.split("=", 1) for word in sys.argv[1:]))
