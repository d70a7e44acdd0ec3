"""Clips in, a print of 256 bits each out; prints of a whole set in, which clips show what an earlier one shows out."""

import cv2
import numpy as np
from jaxtyping import Int64, UInt8, UInt32, UInt64
from scipy.fft import dctn
from torch import Tensor

from video_data.filters import greys

TIMES, SIDE = 16, 32  # what a clip is shrunk to before it is transformed
KEPT = (4, 8, 8)  # frequencies in time, down and across: 256 bits
MOST_BITS = 15  # by which twins may differ; with more, bands get short and everything is compared with everything
FEWEST_BANDS = 8  # of 32 bits, which fit into a number
ROWS = 1 << 16  # prints at a time: 16 MB of bits

Prints = UInt64[np.ndarray, "n 4"]


def make_print(frames: UInt8[Tensor, "t 3 h w"]) -> bytes:
    """32 bytes that hardly change when a clip is encoded, scaled or lit anew: the signs of its low frequencies in space
    and time (Coskun, Sankur & Memon 2006). Three quarters of them tell the motion: a scene's other takes are no twins.
    """
    pictures = greys(frames[np.linspace(0, len(frames) - 1, TIMES).round().astype(int)])
    small = np.stack([cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for picture in pictures])
    low = dctn(small.astype(np.float32), norm="ortho")[: KEPT[0], : KEPT[1], : KEPT[2]]
    low[0, 0, 0] = 0  # brightness
    return np.packbits((low > 0).reshape(KEPT[0], -1).T).tobytes()


def read_prints(data: bytes) -> Prints:
    """Prints one after another as numbers."""
    return np.frombuffer(data, np.uint64).reshape(-1, 4)


def find_twins(prints: Prints, max_bits: int) -> Int64[np.ndarray, "n"]:
    """For each clip the number of the clip that stays in its place; its own number where it stays itself.

    A clip goes where an earlier one, which may go too, differs in at most `max_bits` bits. Every such pair is found: of
    `max_bits` + 1 bands of bits it shares a whole one (Norouzi, Punjani & Fleet 2012, multi-index hashing). About 400 bytes
    of memory a clip; ValueError for a `max_bits` out of reach.
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
    """ValueError for a difference [bits] that is none or too large."""
    if not -1 <= max_bits <= MOST_BITS:
        raise ValueError(f"filters.max_twin_bits={max_bits} must be in [0, {MOST_BITS}], or -1 to keep all clips")


def _earlier(prints: Prints, max_bits: int) -> Int64[np.ndarray, "n"]:
    """For each print the first one that is alike, or its own number."""
    found = np.arange(len(prints))
    bands = max(FEWEST_BANDS, max_bits + 1)
    for band in range(bands):
        values = _band(prints, band, bands)
        order = np.argsort(values, kind="stable")  # equal values lie together, and numbers rise among them
        values, before, step = values[order], np.arange(len(prints) - 1), 1
        while len(before := before[values[before] == values[before + step]]):
            for start in range(0, len(before), ROWS):
                one, later = order[before[start : start + ROWS]], order[before[start : start + ROWS] + step]
                apart = np.bitwise_count(prints[one] ^ prints[later]).sum(-1, dtype=np.uint16)
                hit = apart <= max_bits
                found[later[hit]] = np.minimum(found[later[hit]], one[hit])
            step += 1
            before = before[before + step < len(prints)]
    return found


def _band(prints: Prints, band: int, bands: int) -> UInt32[np.ndarray, "n"]:
    """Every `bands`-th bit from `band` on, so that each band holds bits of all speeds and sizes: some are alike in most clips."""
    values = np.zeros((len(prints), 4), np.uint8)
    for start in range(0, len(prints), ROWS):
        bits = np.unpackbits(prints[start : start + ROWS].view(np.uint8), axis=1)[:, band::bands]
        packed = np.packbits(bits, axis=1)
        values[start : start + ROWS, : packed.shape[1]] = packed
    return values.view(np.uint32)[:, 0]
