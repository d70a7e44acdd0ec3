"""Nothing in, nothing out: tells this process to keep the memory that its tensors free, instead of fetching it anew."""

import ctypes
import sys

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
