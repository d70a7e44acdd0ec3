"""A rank's tensor in, what all ranks have out; on one process everything is returned as it came."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

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


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradient)  # every rank's loss depends on every rank's value


def summed(value: Tensor) -> Tensor:
    """The sum of every rank's value, through which gradients flow to all of them."""
    return value if num_ranks() == 1 else _Sum.apply(value)


def whole(tensor: Tensor) -> Tensor:
    """A weight that FSDP divided, put together on every rank; any other as it is."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def is_first() -> bool:
    """Whether this is rank 0, which prints and writes for all; known from the environment before the group is set up."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank() == 0
    # set by torchrun, srun, Lightning; on a second machine a rank may be 0 by one of them
    return all(int(os.environ.get(name, 0)) == 0 for name in ("RANK", "SLURM_PROCID", "LOCAL_RANK"))


@contextmanager
def own_group() -> Iterator[None]:
    """A process group that is set up in here ends here, with its environment: what follows is one process again."""
    environment = dict(os.environ)
    try:
        yield
    finally:
        if dist.is_available() and dist.is_initialized():
            dist.destroy_process_group()
        os.environ.clear()
        os.environ.update(environment)
