"""video_data.filters, cuts, camera: what is no use is told by its reason, and what only looks like it is kept."""

import cv2
import numpy as np
import pytest
import torch

from lapa.config import compose
from video_data.build import make_cleaning
from video_data.camera import camera_motion
from video_data.clip import Clip, clip_key
from video_data.cuts import find_cuts, scenes
from video_data.filters import blur, camera_alone, greys, judge, largest_changes, moving_share

CFG = compose("build", ["out=x"])
FILTERS = make_cleaning(CFG).filters
CUTS = {"cut_change": FILTERS.cut_change, "cut_ratio": FILTERS.cut_ratio}


def clip(frames: torch.Tensor) -> Clip:
    return Clip(
        "a@000", frames, 10.0, "", "a.mp4", "", 3.0, {"state": np.arange(len(frames), dtype=np.float32)[:, None]}
    )


def noise(length: int) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(100, 108, (length, 3, 64, 64), generator=rng, dtype=torch.uint8)


def place(seed: int, side: int = 64) -> np.ndarray:
    """A picture of many things, [side, side, 3]."""
    rng, picture = np.random.default_rng(seed), np.full((side, side, 3), 128, np.uint8)
    for _ in range(side):
        corner, size = rng.integers(0, side, 2), rng.integers(side // 16, side // 4, 2)
        colour = tuple(map(int, rng.integers(0, 255, 3)))
        cv2.rectangle(picture, tuple(map(int, corner)), tuple(map(int, corner + size)), colour, -1)
    return picture


def film(pictures: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def with_mover(frames: torch.Tensor, start: int = 0) -> torch.Tensor:
    for number, frame in enumerate(frames[start:]):
        frame[0, 30:35, 2 * number : 2 * number + 5] = 220
    return frames


def wandering(length: int = 20) -> torch.Tensor:
    """A camera that moves before a place where nothing does."""
    large = cv2.GaussianBlur(place(3, 160), (0, 0), 1)
    views = [large[20 + n : 116 + n, 10 + 2 * n : 106 + 2 * n] for n in range(length)]
    return film([cv2.resize(view, (64, 64), interpolation=cv2.INTER_AREA) for view in views])


def reason(frames: torch.Tensor, **changes) -> str | None:
    return judge(clip(frames), FILTERS._replace(**changes)).reason


def test_noise_is_dropped_and_a_small_mover_is_kept():
    assert reason(noise(20)) == "no motion"
    assert reason(with_mover(noise(20))) is None


@pytest.mark.parametrize("length, why", [(6, "too short"), (7, "no motion")])
def test_a_clip_shorter_than_asked_is_dropped(length, why):
    assert reason(noise(length)) == why


def test_moving_share_counts_pixels():
    frames = torch.zeros(2, 3, 10, 10, dtype=torch.uint8)
    frames[1, 2, :3, :4] = 200
    assert moving_share(largest_changes(frames, gap=1), pixel_change=16) == pytest.approx(0.12)
    assert moving_share(largest_changes(frames.flip(0), gap=1), pixel_change=16) == pytest.approx(0.12)


def test_what_stands_for_more_than_half_of_its_time_is_frozen():
    still = film([place(0)] * 40)
    assert reason(with_mover(still.clone(), start=28)) == "frozen"
    assert reason(with_mover(still.clone(), start=12)) is None
    assert reason(with_mover(still.clone(), start=28), max_frozen_share=1) is None
    assert reason(with_mover(noise(40), start=28)) is None  # a camera that goes on recording is not frozen


def beside(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Two films in one picture, the middle half of each."""
    return torch.cat((left[:, :, :, 16:48], right[:, :, :, 16:48]), dim=3)


def room(seed: int, length: int = 20) -> torch.Tensor:
    """A still film of a place, lit in a way of its own."""
    return film([place(seed) // 4 + np.uint8(40 + 120 * seed)] * length)


def test_a_frozen_film_beside_another_is_dropped_and_a_still_half_of_one_film_is_kept():
    moving = with_mover(room(0))
    for split in (beside(room(1), moving), beside(moving, room(1))):
        assert reason(split) == "frozen half" and reason(split, min_border_share=2) is None
    assert reason(beside(with_mover(room(1)), moving)) is None, "both films move"
    corner = room(0)
    for number, frame in enumerate(corner):
        frame[:, 40:46, number : number + 6] = 220  # never leaves the left half
    assert reason(corner) is None, "before a still camera"


def test_dark_and_blurred_clips_are_dropped():
    frames = with_mover(film([place(0)] * 20))
    assert reason(frames) is None and reason(frames // 12) == "too dark"
    smooth = film([cv2.GaussianBlur(picture, (0, 0), 4) for picture in frames.permute(0, 2, 3, 1).numpy()])
    assert reason(smooth) == "blurred" and reason(smooth, max_blur=1) is None


def test_blur_does_not_depend_on_contrast():
    picture = place(1)[..., 0]
    soft = cv2.GaussianBlur(picture, (0, 0), 2)
    assert blur(picture) < 0.4 < 0.6 < blur(soft) <= 1
    assert blur(picture // 4 + 90) == pytest.approx(blur(picture), abs=0.03)


def test_motion_of_the_camera_alone_is_dropped_and_a_mover_before_it_is_kept():
    assert reason(wandering()) == "camera alone" and reason(wandering(), min_own_share=0) is None
    assert reason(with_mover(wandering())) is None


@pytest.mark.parametrize("frames", [wandering(), with_mover(wandering())], ids=["alone", "with a mover"])
def test_measuring_ends_early_without_another_verdict(frames):
    pictures = greys(frames[::5])
    own = camera_alone(pictures, FILTERS._replace(min_own_share=1))  # all pairs are measured
    assert own is not None
    assert camera_alone(pictures, FILTERS._replace(min_own_share=own * 1.001 + 1e-9)) == own
    assert camera_alone(pictures, FILTERS._replace(min_own_share=own * 0.999)) is None


def test_a_mover_before_a_bare_wall_is_no_camera():
    frames = torch.full((20, 3, 64, 64), 120, dtype=torch.uint8)
    assert reason(with_mover(frames)) is None


def test_the_cameras_motion_is_found_in_pixels():
    large = cv2.GaussianBlur(place(3, 160), (0, 0), 1)[..., 0]
    motion = camera_motion(large[40:104, 40:104].copy(), large[41:105, 43:107].copy())
    assert motion == pytest.approx(np.array([[1, 0, -3], [0, 1, -1]]), abs=0.1)


@pytest.mark.parametrize("cut", [2, 9, 18])
def test_a_clip_is_cut_where_another_scene_begins(cut):
    whole = clip(torch.cat((with_mover(film([place(0)] * cut)), with_mover(film([place(1)] * (20 - cut))))))
    first, second = scenes(whole, **CUTS)
    assert (len(first.frames), len(second.frames)) == (cut, 20 - cut) and second.start_s == pytest.approx(3 + cut / 10)
    assert [first.key, second.key] == ["a@000-0", "a@000-1"] and second.arrays["state"][0, 0] == cut
    assert scenes(whole, cut_change=255, cut_ratio=3) == [whole]


def test_what_is_told_without_the_detector_is_what_it_finds(monkeypatch):
    films = [torch.cat((film([place(0)] * 9), film([place(n)] * 9))) for n in range(1, 5)] + [wandering(), noise(9)]
    looks = [{"cut_change": change, "cut_ratio": 3} for change in (5, 20, 35, 60)]
    quick = [find_cuts(frames, 10.0, **look) for frames in films for look in looks]
    monkeypatch.setattr("video_data.cuts.picture_changes", lambda pictures: np.array([255.0]))
    assert quick == [find_cuts(frames, 10.0, **look) for frames in films for look in looks]
    assert [9] in quick and [] in quick


def test_motion_and_a_stub_are_not_cut():
    for frames in (wandering(), with_mover(film([place(0)] * 20)), noise(2)):
        assert find_cuts(frames, 10.0, **CUTS) == []


def test_keys_are_readable_and_differ_where_names_only_look_alike():
    keys = {clip_key(path, 0) for path in ("a.b.mp4", "a_b.mp4", "a/b.mp4", "a b.mp4", "a.b.mkv")}
    assert len(keys) == 5 and all(key.startswith("a_b-") for key in keys)
    assert clip_key("x/" + "long " * 99 + ".mp4", 3).endswith("@003")
