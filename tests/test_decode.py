"""video_data.decode and resample: every format, true time whatever the frame rate, a reason for each bad file."""

import os
from pathlib import Path

import numpy as np
import pytest
from raw_videos import block_left, cut_short, no_pictures, steady, trimmed, turned, write_video

from video_data.decode import Cutting, read_pieces
from video_data.header import UnusableVideo
from video_data.openers import DecoderMissing
from video_data.resample import crop, even_cuts, nearest_frames, pad

FPS = 10
CUTTING = Cutting(fps=FPS, image_px=32, fit="crop", max_clip_s=60, min_source_fps=4, decoder="av", memory_gb=2)
SQUARE = (96, 96)
COLOURS_APART = 12  # of 255: each library converts colours, and takes those of edges, in its own way


def read(path: Path, **changes) -> np.ndarray:
    return np.concatenate([piece.frames for piece in read_pieces(path, CUTTING._replace(**changes))])


def assert_dated(frames: np.ndarray) -> None:
    """The block goes from 0 to 1 at a steady pace: each frame shows the instant that it stands for."""
    places = np.array([block_left(frame) for frame in frames])
    assert np.abs(places - np.linspace(places[0], places[-1], len(places))).max() < 0.04
    assert places[0] < 0.06 and places[-1] > 0.9


FORMATS = [("mp4", "libx264"), ("mkv", "libx264"), ("mov", "libx264"), ("avi", "mpeg4"), ("webm", "libvpx-vp9")]
FORMATS += [("gif", "gif"), ("mp4", "libsvtav1"), ("mp4", "libx265")]


@pytest.mark.parametrize("ending, codec", FORMATS)
def test_every_format_gives_the_same_film(tmp_path, ending, codec):
    path = write_video(tmp_path / f"a.{ending}", times_ms=steady(60), size=SQUARE, codec=codec)
    frames = read(path)
    assert frames.shape == (20, 32, 32, 3)
    assert_dated(frames)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_variable_frame_rate_keeps_true_speed(tmp_path, ending):
    times = [*range(0, 1000, 20), *range(1000, 3001, 100)]  # 50 Hz, then 10 Hz
    frames = read(write_video(tmp_path / f"v.{ending}", times_ms=times, size=SQUARE))
    assert len(frames) == 31
    assert_dated(frames)


def test_open_gops_and_reordered_frames_stay_in_order(tmp_path):
    options = {"x264-params": "open-gop=1:keyint=12:bframes=3"}
    assert_dated(read(write_video(tmp_path / "o.mp4", times_ms=steady(90), size=SQUARE, options=options)))


@pytest.mark.parametrize("decoder", ["av", "decord"])
def test_a_film_trimmed_without_encoding_it_shows_what_players_show(tmp_path, decoder):
    film = write_video(tmp_path / "a.mp4", times_ms=steady(90), size=SQUARE, options={"g": "60", "bf": "2"})
    cut = read(trimmed(film, tmp_path / "cut.mp4", start_s=1.0, rebased=True), decoder=decoder)
    assert np.abs(cut.astype(int) - read(film)[10:]).max() < COLOURS_APART


def test_a_film_that_begins_late_is_whole(tmp_path):
    film = write_video(tmp_path / "a.mkv", times_ms=steady(90), size=SQUARE, options={"g": "30", "bf": "0"})
    late = read(trimmed(film, tmp_path / "late.mkv", start_s=2.0, rebased=False))
    assert (late == read(film)[20:]).all()


def test_sound_changes_nothing(tmp_path):
    with_sound = write_video(tmp_path / "s.mp4", times_ms=steady(45), audio=True)
    assert (read(with_sound) == read(write_video(tmp_path / "q.mp4", times_ms=steady(45)))).all()


@pytest.mark.parametrize("size", [(320, 180), (90, 160), (2160, 3840)], ids=["vertical", "wide", "4K"])
def test_any_shape_becomes_a_square(tmp_path, size):
    path = write_video(tmp_path / "a.mp4", times_ms=steady(12), size=size, options={"preset": "ultrafast"})
    assert read(path).shape == read(path, fit="pad").shape == (4, 32, 32, 3)


@pytest.mark.parametrize("codec", ["libx264", "libsvtav1"])
def test_a_turned_video_stands_upright(tmp_path, codec):
    path = turned(write_video(tmp_path / "a.mp4", times_ms=steady(12), codec=codec), tmp_path / "t.mp4")
    frames = read(path, fit="pad")
    columns = np.flatnonzero(frames[0].max(axis=(0, 2)) > 20)
    assert len(columns) == pytest.approx(32 * 96 / 128, abs=2)  # stands: 96 wide, 128 high


def test_a_long_video_is_cut_evenly(tmp_path):
    path = write_video(tmp_path / "a.mp4", times_ms=steady(75))
    pieces = list(read_pieces(path, CUTTING._replace(max_clip_s=1.0)))
    assert [len(piece.frames) for piece in pieces] == [8, 8, 9] and pieces[1].start_s == pytest.approx(0.8)
    assert (np.concatenate([piece.frames for piece in pieces]) == read(path)).all()


def bad_files(folder: Path) -> dict[str, Path]:
    """One of each kind, by the words that its reason must hold."""
    good = write_video(folder / "good.mp4", times_ms=steady(60))
    fast = write_video(folder / "fast.mp4", times_ms=steady(60), faststart=True)
    avi = write_video(folder / "a.avi", times_ms=steady(60), codec="mpeg4")
    mkv = write_video(folder / "a.mkv", times_ms=steady(60))
    (folder / "empty.mp4").touch()
    (folder / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(4000))
    return {
        "is empty": folder / "empty.mp4",
        "not a video": folder / "noise.mp4",
        "cannot be opened": cut_short(good, folder / "index_lost.mp4"),
        r"cut off: holds \d of 60": cut_short(fast, folder / "cut.mp4"),
        "cut off: holds": cut_short(mkv, folder / "cut.mkv"),
        "holds .* of 60 frames": cut_short(avi, folder / "cut.avi"),
        "damaged after": damaged(fast, folder / "damaged.mp4"),
        "has one frame": write_video(folder / "one.mp4", times_ms=[0]),
        "no video stream; it holds audio": no_pictures(folder / "sound.mp4", sound=True),
        "End of file": no_pictures(folder / "zero.mkv", sound=False),
        "slide show": write_video(folder / "slides.mp4", times_ms=steady(6, fps=1)),
    }


def damaged(source: Path, target: Path) -> Path:
    data = bytearray(source.read_bytes())
    middle = (data.index(b"mdat") + len(data)) // 2
    data[middle : middle + 300] = np.random.default_rng(1).bytes(300)
    target.write_bytes(data)
    return target


def test_each_bad_file_says_what_is_wrong(tmp_path):
    for words, path in bad_files(tmp_path).items():
        with pytest.raises(UnusableVideo, match=words) as caught:
            read(path)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 200


def test_nearest_frames_of_a_steady_rate_are_every_third():
    assert nearest_frames(np.arange(31) / 30, 10).tolist() == list(range(0, 31, 3))


def test_nearest_frames_break_ties_the_same_way_despite_rounding():
    times = np.arange(46) / 15  # every second instant lies between two frames
    chosen = {tuple(nearest_frames((times + shift).astype(np.float32), 10).tolist()) for shift in (0.0, 0.4, 7.7, 61.3)}
    assert len(chosen) == 1 and next(iter(chosen))[:4] == (0, 1, 3, 4)


def test_nearest_frames_repeat_a_slow_source_and_never_go_back():
    times = np.sort(np.random.default_rng(0).uniform(0, 9, 40))
    wanted = nearest_frames(times, 10)
    assert (np.diff(wanted) >= 0).all() and wanted[0] == 0 and wanted[-1] <= 39
    off = np.abs(times[wanted] - times[0] - np.arange(len(wanted)) / 10)
    assert off.max() <= np.diff(times).max() / 2 + 1e-3


@pytest.mark.parametrize("count, longest", [(1, 60), (60, 60), (61, 60), (1234, 60)])
def test_even_cuts_cover_everything_once(count, longest):
    cuts = even_cuts(count, longest)
    lengths = [end - start for start, end in cuts]
    assert [i for start, end in cuts for i in range(start, end)] == list(range(count))
    assert max(lengths) <= longest and max(lengths) - min(lengths) <= 1


def test_crop_keeps_the_middle_and_pad_keeps_all():
    picture = np.zeros((40, 80, 3), dtype=np.uint8)
    picture[:, 20:60] = 200
    assert (crop(picture, 16) == 200).all()
    assert (pad(picture, 16)[4:12, 4:12] == 200).all() and pad(picture, 16).sum() == 200 * 3 * 64


def test_an_unknown_codec_is_told(tmp_path):
    path = write_video(tmp_path / "a.mkv", times_ms=steady(60))
    path.write_bytes(path.read_bytes().replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XYZ"))
    with pytest.raises(UnusableVideo, match="in a way that FFmpeg does not know"):
        read(path)


def test_a_title_that_is_not_utf8_is_no_fault(tmp_path):
    path = write_video(tmp_path / "a.mkv", times_ms=steady(60), title="Kueche")
    path.write_bytes(path.read_bytes().replace(b"Kueche", b"K\xfcchen"))
    assert len(read(path)) == 20


@pytest.mark.parametrize("form, codec", [("webm", "libvpx-vp9"), ("matroska", "libx264"), ("mpegts", "libx264")])
def test_a_recording_that_states_no_length_is_read(tmp_path, form, codec):
    path = write_video(tmp_path / "a.mp4", times_ms=steady(60), size=SQUARE, codec=codec, streamed_as=form)
    assert_dated(read(path))


def apart(path: Path, decoder: str) -> int:
    """By how much, of 255, the frames of `decoder` differ at most from PyAV's."""
    one, other = read(path), read(path, decoder=decoder).astype(int)
    assert one.shape == other.shape
    return np.abs(other - one).max()


def test_reordered_frames_of_open_gops_are_the_same_by_both_decoders(tmp_path):
    options = {"x264-params": "open-gop=1:keyint=12:bframes=3"}
    assert apart(write_video(tmp_path / "o.mp4", times_ms=steady(90), options=options), "decord") <= COLOURS_APART


@pytest.mark.parametrize("decoder", ["decord", "torchcodec"])
@pytest.mark.parametrize("ending, codec", [*FORMATS, ("turned.mp4", "libx264")])
def test_other_decoders_give_the_same_film(tmp_path, ending, codec, decoder):
    path = write_video(tmp_path / f"a.{ending}", times_ms=steady(60), size=SQUARE, codec=codec)
    if "turned" in ending:
        path = turned(path, tmp_path / "t.mp4")
    try:
        assert apart(path, decoder) <= COLOURS_APART
    except DecoderMissing as missing:
        pytest.skip(str(missing))


@pytest.mark.skipif("LAPA_REAL_VIDEO" not in os.environ, reason="LAPA_REAL_VIDEO names no folder")
def test_both_decoders_agree_on_real_videos():
    paths = sorted(Path(os.environ["LAPA_REAL_VIDEO"]).rglob("*.mp4"))
    for path in paths[:: max(1, len(paths) // 20)]:
        assert apart(path, "decord") <= COLOURS_APART, path.name
