"""A clip in; its scenes out: no frame pair may reach over a cut."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector
from torch import Tensor

from video_data.clip import Clip

WINDOW = 2  # frames on each side that say how much changes anyway: fast motion is no cut
ROUNDING = 1e-3  # of 255; what is this close is left to the detector


def scenes(clip: Clip, *, cut_change: float, cut_ratio: float) -> list[Clip]:
    """The clip itself where there is no cut; else a clip for each scene, its key led by that of the whole."""
    cuts = find_cuts(clip.frames, clip.fps, cut_change=cut_change, cut_ratio=cut_ratio)
    if not cuts:
        return [clip]
    edges = zip([0, *cuts], [*cuts, len(clip.frames)], strict=True)
    return [_part(clip, number, start, end) for number, (start, end) in enumerate(edges)]


def find_cuts(frames: UInt8[Tensor, "t 3 h w"], fps: float, *, cut_change: float, cut_ratio: float) -> list[int]:
    """Numbers of the frames that begin a new scene (PySceneDetect's adaptive detector).

    There hue, saturation and value change by `cut_change` of 255 on average and `cut_ratio` times as much as nearby.
    """
    pictures = frames.permute(0, 2, 3, 1).contiguous().numpy()
    if len(pictures) <= WINDOW or picture_changes(pictures).max() < cut_change - ROUNDING:
        return []
    ends = pictures[WINDOW:0:-1], pictures[-2 : -2 - WINDOW : -1]  # mirrored: a cut beside an end is found too
    detector = AdaptiveDetector(
        adaptive_threshold=cut_ratio, min_scene_len=1, window_width=WINDOW, min_content_val=cut_change
    )
    found: list[int] = []
    for number, picture in enumerate(np.concatenate((ends[0], pictures, ends[1]))):
        times = detector.process_frame(FrameTimecode(number, float(fps)), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        found += [time.frame_num - WINDOW for time in times]
    return [cut for cut in found if 0 < cut < len(pictures)]


def picture_changes(pictures: UInt8[np.ndarray, "t h w 3"]) -> Float[np.ndarray, "t-1"]:
    """By how much, of 255, hue, saturation and value change from each picture to the next, on average.

    The detector's own measure, of all pictures at once: it tells in a tenth of the detector's time that there is no cut.
    """
    count, height, width = pictures.shape[:3]
    colours = cv2.cvtColor(pictures.reshape(count * height, width, 3), cv2.COLOR_RGB2HSV)
    steps = cv2.absdiff(colours[height:], colours[:-height])
    return steps.reshape(count - 1, -1).mean(axis=1)


def _part(clip: Clip, number: int, start: int, end: int) -> Clip:
    return clip._replace(
        key=f"{clip.key}-{number}",
        frames=clip.frames[start:end],
        start_s=clip.start_s + start / clip.fps,
        arrays={name: array[start:end] for name, array in clip.arrays.items()},
    )
