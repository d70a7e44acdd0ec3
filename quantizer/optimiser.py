"""Parameters in, AdamW with warm-up and cosine out, as Lightning's `configure_optimizers` returns it."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import nn


class Schedule(NamedTuple):
    """Linear warm-up to `lr`, then a cosine down to `lr_end` of it at the trainer's last step."""

    lr: float
    betas: tuple[float, float]
    weight_decay: float
    warmup_steps: int
    lr_end: float


def configure(parameters: Iterable[nn.Parameter], schedule: Schedule, max_steps: int) -> dict[str, Any]:
    """Matrices decay, vectors (norms, biases) do not."""
    members = list(parameters)
    groups = [
        {"params": [p for p in members if p.ndim >= 2], "weight_decay": schedule.weight_decay},
        {"params": [p for p in members if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=schedule.lr, betas=schedule.betas)

    def share(step: int) -> float:
        left = (step - schedule.warmup_steps) / max(1, max_steps - schedule.warmup_steps)
        cosine = schedule.lr_end + (1 - schedule.lr_end) * (1 + math.cos(math.pi * min(1.0, max(0.0, left)))) / 2
        return min(1.0, (step + 1) / max(1, schedule.warmup_steps)) * cosine

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
