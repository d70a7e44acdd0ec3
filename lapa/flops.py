"""A piece of work in, its model FLOPs out; a device and a precision in, the matrix-product speed it reaches out."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop, sdpa_flop

# What torch's table leaves out: the attention kernel of CPUs.
CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: sdpa_flop,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: sdpa_backward_flop,
}
FORMULAS = flop_registry | CPU_ATTENTION
PEAK_SIDE = {"cpu": 1024}  # of the square matrices; elsewhere 8192, large enough to fill a GPU
PEAK_S, PEAK_PRODUCTS = 0.2, 5  # measures at least so long and so many: the first ones warm up

_again = 0  # how many recomputations are being done


class Flops(TorchDispatchMode):
    """`with Flops() as work: …` leaves in `work.total` the FLOPs of all matrix products, backward ones too.

    What a checkpointed block computes again inside `recomputing` is not counted: these are the model's FLOPs. It only
    looks on: results and random state stay what they are.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        formula = FORMULAS.get(getattr(func, "_overloadpacket", None))
        if formula is not None and not _again:
            self.total += int(formula(*args, **(kwargs or {}), out_val=out))
        return out


@contextmanager
def recomputing() -> Iterator[None]:
    """Work in here repeats what was counted before."""
    global _again
    _again += 1
    try:
        yield
    finally:
        _again -= 1


@torch.no_grad()
def matmul_peak(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of the best of some large square matrix products, with the threads this process has."""
    side = PEAK_SIDE.get(device.type, 8192)
    wave = torch.arange(side * side, device=device).reshape(side, side).sin().to(dtype)  # no random state is touched
    taken: list[float] = []
    while sum(taken) < PEAK_S or len(taken) < PEAK_PRODUCTS:
        _wait(device)
        started = time.perf_counter()
        wave @ wave
        _wait(device)
        taken.append(time.perf_counter() - started)
    return 2 * side**3 / min(taken)


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
