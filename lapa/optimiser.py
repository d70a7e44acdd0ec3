"""Named parameters in, AdamW with a rate for each group and warm-up then cosine out."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn


class Schedule(NamedTuple):
    """lr: learning rate of each group (a policy has "vision", "language", "head"); lr_end: share of it left at the last step."""

    lr: Mapping[str, float]
    weight_decay: float
    betas: tuple[float, float]
    warmup_steps: int
    lr_end: float


def parameter_groups(groups: Mapping[str, list[nn.Parameter]], schedule: Schedule) -> list[dict[str, Any]]:
    """Two AdamW groups for each name: matrices decay, vectors (norms, biases) do not. A rate of 0 freezes."""
    if groups.keys() != schedule.lr.keys():
        raise ValueError(f"lr names {sorted(schedule.lr)}; this model has {sorted(groups)}")
    rows = []
    for name, parameters in groups.items():
        if schedule.lr[name] == 0:
            for parameter in parameters:
                parameter.requires_grad_(False)
        trained = [p for p in parameters if p.requires_grad]
        for decay in (True, False):
            members = [p for p in trained if (p.ndim >= 2) == decay]
            if members:
                rows.append({
                    "params": members, "lr": schedule.lr[name], "name": f"{name}{'' if decay else '_plain'}",
                    "weight_decay": schedule.weight_decay if decay else 0.0,
                })  # fmt: skip
    return rows


def rate(step: int, *, warmup_steps: int, max_steps: int, lr_end: float) -> float:
    """Share of the learning rate at `step`: linear up, then a half cosine down to `lr_end`."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    done = min(1.0, (step - warmup_steps) / max(1, max_steps - warmup_steps))
    return lr_end + (1 - lr_end) * (1 + math.cos(math.pi * done)) / 2


def configure(groups: Mapping[str, list[nn.Parameter]], schedule: Schedule, max_steps: int) -> dict[str, Any]:
    """What Lightning's `configure_optimizers` returns."""
    optimiser = torch.optim.AdamW(parameter_groups(groups, schedule), betas=schedule.betas)

    def share(step: int) -> float:
        return rate(step, warmup_steps=schedule.warmup_steps, max_steps=max_steps, lr_end=schedule.lr_end)

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimiser, share)
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def number_by_model(states: list[dict[str, Any]], numbers: list[list[int]]) -> None:
    """Rename the parameters of an optimiser's saved state from their place in its groups to their place in the model.

    FSDP2 saves it so, sorted within each group, and knows no groups' own order: with this every trainer reads what any
    other wrote. `numbers`: places in the model, group by group.
    """
    order = [number for group in numbers for number in group]
    for state in states:
        state["state"] = {order[i]: value for i, value in state["state"].items()}
        for group, members in zip(state["param_groups"], numbers, strict=True):
            group["params"] = sorted(members)


def number_by_group(states: list[dict[str, Any]], numbers: list[list[int]]) -> None:
    """List a saved state's parameters in the order of the groups that shall take it up: torch goes by place, not by name."""
    for state in states:
        for group, members in zip(state["param_groups"], numbers, strict=True):
            group["params"] = list(members)


def places(rows: list[dict[str, Any]], model: nn.Module) -> list[list[int]]:
    """The place in `model.parameters()` of every parameter of every group."""
    place = {id(parameter): i for i, parameter in enumerate(model.parameters())}
    return [[place[id(parameter)] for parameter in row["params"]] for row in rows]
