"""A precision by Lightning's name, or `auto`, and a device in; the precision to compute in out."""

import torch

AUTO, BF16, FP32 = "auto", "bf16-mixed", "32-true"
CPU_BF16 = ("avx512_bf16", "amx_bf16", "bf16")  # products in bf16: x86's two sets of instructions, ARM's


def resolve(precision: str, device: str) -> str:
    """`precision`, or for `auto` bf16 autocast where `device` multiplies bf16 in hardware, else fp32.

    `device` is torch's or Lightning's name: cpu, cuda or gpu, auto (cuda where there is one). Elsewhere bf16 is emulated:
    one core of an AMD EPYC 7003 (AVX2) does 1.3 GFLOP/s of it, and 84 in fp32.
    """
    if precision != AUTO:
        return precision
    return BF16 if has_bf16(device) else FP32


def has_bf16(device: str) -> bool:
    """Whether `device`, named as in `resolve`, multiplies bf16 in hardware."""
    if device in ("cuda", "gpu", "auto") and torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device in ("cpu", "auto") and any(torch.cpu.get_capabilities().get(name) for name in CPU_BF16)
