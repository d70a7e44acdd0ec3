"""Frame pairs made up for the report card's tests: grey pictures whose light, clip and true change are known."""

import torch

from quantizer.sample import Pairs


def toy_pairs(*, clips: int = 60, each: int = 8, bodies: tuple[str, ...] = ("hand",), seed: int = 0) -> Pairs:
    """Noise of 16 px that gets brighter or darker by up to 40; `change` is another random number; bodies take turns by clip."""
    rng = torch.Generator().manual_seed(seed)
    count = clips * each
    clip = torch.arange(clips).repeat_interleave(each)
    before = torch.randint(60, 190, (count, 3, 16, 16), generator=rng, dtype=torch.uint8)
    light = torch.randint(-40, 41, (count, 1, 1, 1), generator=rng)
    return Pairs(
        before=before, after=(before + light).to(torch.uint8), start=torch.randn(count, 2, generator=rng),
        change=torch.randn(count, 2, generator=rng), clip=clip, body=clip % len(bodies), chain=torch.arange(0),
        later=before[:0], bodies=bodies, truth="motion of the tool",
    )  # fmt: skip


def thirds(values: torch.Tensor) -> torch.Tensor:
    """Int64 [b, 1]: 0, 1 or 2 for the low, middle and high third: a code that says `values` [b] roughly."""
    bounds = values.float().quantile(torch.tensor([1 / 3, 2 / 3]))
    return torch.bucketize(values.float().contiguous(), bounds)[:, None]
