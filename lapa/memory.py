"""What this process does with memory: keeping what tensors free, and the most it ever had."""

import ctypes
import resource
import sys

import torch

TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # parameters of glibc's mallopt(3); the last takes at most 32 MB


def keep_freed() -> None:
    """On Linux: freed memory stays with the process. Does nothing elsewhere.

    glibc gives every large tensor back to the system when it is freed, and each page of the next one is then faulted in
    and cleared: a quarter of the time that labelling takes.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        for parameter, value in ((MMAP_THRESHOLD, 2**25), (TRIM_THRESHOLD, 2**31 - 1), (TOP_PAD, 2**26)):
            libc.mallopt(parameter, value)


def peak_mb(device: torch.device) -> float:
    """The most memory [MB] so far: of tensors on a GPU; elsewhere of this process with its libraries and loaders."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6  # bytes there, KiB here
