"""Clips in, a print of 256 bits each out; prints of a whole set in, which clips show what an earlier one shows out."""

from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Int64, UInt8, UInt64
from scipy.fft import dctn
from torch import Tensor

from video_data.filters import greys

TIMES, SIDE = 16, 32  # what a clip is shrunk to before it is transformed
KEPT = (4, 8, 8)  # frequencies in time, down and across: 256 bits
BANDS = 16  # of 16 bits; prints that differ in fewer bits than that share a whole band
CELLS = 1 << 22  # comparisons at a time: 128 MB

Prints = UInt64[np.ndarray, "n 4"]


def make_print(frames: UInt8[Tensor, "t 3 h w"]) -> bytes:
    """32 bytes that hardly change when a clip is encoded, scaled or lit anew: the signs of its low frequencies in space
    and time (Coskun, Sankur & Memon 2006). Three quarters of them tell the motion: a scene's other takes are no twins.
    """
    pictures = greys(frames[np.linspace(0, len(frames) - 1, TIMES).round().astype(int)])
    small = np.stack([cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for picture in pictures])
    low = dctn(small.astype(np.float32), norm="ortho")[: KEPT[0], : KEPT[1], : KEPT[2]]
    low[0, 0, 0] = 0  # brightness
    return np.packbits((low > 0).reshape(KEPT[0], -1).T).tobytes()  # every band holds bits of all speeds


def read_prints(data: bytes) -> Prints:
    """Prints one after another as numbers."""
    return np.frombuffer(data, np.uint64).reshape(-1, 4)


def find_twins(prints: Prints, max_bits: int) -> Int64[np.ndarray, "n"]:
    """For each clip the number of the clip that stays in its place; its own number where it stays itself.

    A clip goes where an earlier one, which may go too, differs in at most `max_bits` bits. Every such pair is found: it
    shares a band. About 60 bytes of memory a clip; ValueError for a `max_bits` that bands do not reach.
    """
    check_max_bits(max_bits)
    stays = np.arange(len(prints))
    if max_bits < 0 or len(prints) == 0:
        return stays
    _, first, inverse = np.unique(prints, axis=0, return_index=True, return_inverse=True)
    ranked = np.sort(first)  # equal prints are one from here on: a thousand copies are not a million pairs
    earlier = _earlier(prints[ranked], max_bits)
    stays = first[inverse.reshape(-1)]
    stays[ranked] = ranked[earlier]
    for number in np.flatnonzero(stays != np.arange(len(prints))):
        stays[number] = stays[stays[number]]  # rising: what is earlier has been settled
    return stays


def check_max_bits(max_bits: int) -> None:
    """ValueError for a difference [bits] within which bands would miss some pairs."""
    if not -1 <= max_bits < BANDS:
        raise ValueError(f"filters.max_twin_bits={max_bits} must be in [0, {BANDS - 1}], or -1 to keep all clips")


def _earlier(prints: Prints, max_bits: int) -> Int64[np.ndarray, "n"]:
    """For each print the first one that is alike, or its own number."""
    found = np.arange(len(prints))
    bands = prints.view(np.uint16)
    for band in range(BANDS):
        for members in _buckets(bands[:, band]):
            for start in range(1, len(members), step := max(1, CELLS // len(members))):
                rows = members[start : start + step]
                before = members[: start + len(rows)]
                apart = np.bitwise_count(prints[rows, None] ^ prints[None, before]).sum(-1, dtype=np.uint16)
                alike = (apart <= max_bits) & (before < rows[:, None])
                hit = alike.any(1)
                found[rows[hit]] = np.minimum(found[rows[hit]], before[alike[hit].argmax(1)])
    return found


def _buckets(values: np.ndarray) -> Iterator[Int64[np.ndarray, "m"]]:
    """Numbers of equal values, rising, where there are two or more."""
    order = np.argsort(values, kind="stable")
    edges = np.flatnonzero(np.diff(values[order])) + 1
    starts, ends = np.r_[0, edges], np.r_[edges, len(values)]
    for start, end in zip(starts, ends, strict=True):
        if end - start > 1:
            yield order[start:end]
