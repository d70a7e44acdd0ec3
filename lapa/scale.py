"""A module's repeated blocks in, the same blocks divided over ranks (FSDP2) or computed again in the backward pass out."""

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.utils.checkpoint import checkpoint

from lapa.flops import recomputing


def divide(model: nn.Module, blocks: Iterable[nn.Module], mesh: DeviceMesh) -> None:
    """Leave each rank its share of every weight; a block's are put together while the block computes.

    Weights must be the same on all ranks before. Call the model itself: its other methods find the shares only, unless
    `register_fsdp_forward_method` names them.
    """
    for block in blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)


def recompute(block: nn.Module) -> None:
    """From now on `block` keeps nothing but its input for the backward pass, and computes the rest again there."""
    forward = block.forward

    def thrifty(*args: Any, **kwargs: Any) -> Any:
        return checkpoint(forward, *args, use_reentrant=False, context_fn=_contexts, **kwargs)

    block.forward = thrifty


def _contexts() -> tuple[Any, Any]:
    """In which a block computes first, and again."""
    return nullcontext(), recomputing()
