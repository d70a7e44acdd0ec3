"""Two frames in; the share of pixels out that change although the camera's own motion has been taken away."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

Grey = UInt8[np.ndarray, "h w"]
POINTS = 12  # followed in each row and column: an even grid, so that a mover in front of a bare wall is no camera
WITHIN_PX = 0.7  # a point this close to where the camera's motion takes it follows the camera
FOLLOWING = 0.5  # of the points must, or the picture has no one motion
WINDOW_PX, HALVINGS = (9, 9), 3  # of the search for a point


class Change(NamedTuple):
    """What changes from one frame to another."""

    own_share: float  # of pixels, in [0, 1], by more than the camera's motion
    camera_moves: bool


def measure_change(before: Grey, after: Grey, *, pixel_change: int, min_shift: float) -> Change:
    """The share of pixels, in [0, 1], that change by more than `pixel_change` and not by the camera's motion.

    The camera has moved when a corner of the picture goes `min_shift` of its side or farther. What it has brought to
    within a pixel is explained: at that size edges cannot be told from movers.
    """
    motion = camera_motion(before, after)
    side = len(before)
    if motion is None or _farthest_px(motion, side) < min_shift * side:
        return Change(float((cv2.absdiff(before, after) > pixel_change).mean()), False)
    about = np.ones((3, 3), np.uint8)
    moved = cv2.warpAffine(before, motion, (side, side))
    seen = cv2.erode(cv2.warpAffine(np.ones_like(before), motion, (side, side)), about) == 1
    low, high = (cv2.erode(moved, about).astype(int), cv2.dilate(moved, about).astype(int))
    beyond = (after < low - pixel_change) | (after > high + pixel_change)
    return Change(float(beyond[seen].mean()) if seen.any() else 1.0, True)


def camera_motion(before: Grey, after: Grey) -> Float[np.ndarray, "2 3"] | None:
    """The affine map [px] that most points of a grid follow (Lucas-Kanade, RANSAC); None when most follow none."""
    ticks = (np.arange(POINTS, dtype=np.float32) + 0.5) * len(before) / POINTS
    grid: Any = np.stack(np.meshgrid(ticks, ticks), -1).reshape(-1, 1, 2)  # cv2's stubs want to know more of it
    nowhere: Any = None
    later, found, _ = cv2.calcOpticalFlowPyrLK(before, after, grid, nowhere, winSize=WINDOW_PX, maxLevel=HALVINGS)
    there = found[:, 0] == 1
    if there.mean() < FOLLOWING:
        return None
    motion, inside = cv2.estimateAffine2D(grid[there], later[there], ransacReprojThreshold=WITHIN_PX)
    return motion if motion is not None and inside.sum() >= FOLLOWING * len(grid) else None


def _farthest_px(motion: Float[np.ndarray, "2 3"], side: int) -> float:
    corners = np.array([[0, 0, 1], [side, 0, 1], [0, side, 1], [side, side, 1]], float).T
    return float(np.linalg.norm(motion @ corners - corners[:2], axis=0).max())
