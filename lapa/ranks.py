"""A rank's tensor in, what all ranks have out; on one process everything is returned as it came."""

import torch
from torch import Tensor
from torch import distributed as dist


def num_ranks() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def gathered(rows: Tensor) -> Tensor:
    """The rows [n …] of all ranks, in the order of ranks; every rank must bring as many. No gradient."""
    if num_ranks() == 1:
        return rows
    parts = [torch.empty_like(rows) for _ in range(num_ranks())]
    dist.all_gather(parts, rows.contiguous())
    return torch.cat(parts)


def mean_over_ranks(value: Tensor) -> Tensor:
    """The mean of every rank's value. No gradient."""
    if num_ranks() == 1:
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / num_ranks()
