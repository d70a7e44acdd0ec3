"""video_data.decoder: what a video does to the decoding process is that video's fault alone."""

import os
import signal

import pytest
from raw_videos import steady, write_video

from video_data.decode import Cutting
from video_data.decoder import Decoder
from video_data.header import UnusableVideo

CUTTING = Cutting(fps=10, image_px=32, fit="crop", max_clip_s=1, min_source_fps=4)


@pytest.fixture
def decoder():
    decoder = Decoder(timeout_s=60)
    yield decoder
    decoder.stop()


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "a.mp4", times_ms=steady(60))


def test_a_crash_costs_one_video(decoder, video):
    whole = [piece.frames for piece in decoder.read(video, CUTTING)]
    reading = decoder.read(video, CUTTING)
    next(reading)
    os.kill(decoder.process.pid, signal.SIGSEGV)
    with pytest.raises(UnusableVideo, match=r"crashes the decoder \(SIGSEGV\)"):
        list(reading)
    again = [piece.frames for piece in decoder.read(video, CUTTING)]
    assert len(again) == 2 and all((a == b).all() for a, b in zip(whole, again, strict=True))


def test_a_bad_video_costs_no_process(decoder, video, tmp_path):
    list(decoder.read(video, CUTTING))
    process = decoder.process.pid
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(UnusableVideo, match="is empty"):
        list(decoder.read(tmp_path / "empty.mp4", CUTTING))
    assert len(list(decoder.read(video, CUTTING))) == 2 and decoder.process.pid == process


def test_what_was_left_unread_does_not_reach_the_next_video(decoder, video, tmp_path):
    next(decoder.read(video, CUTTING))  # given up after its first piece
    other = write_video(tmp_path / "b.mp4", times_ms=steady(15))
    assert [len(piece.frames) for piece in decoder.read(other, CUTTING)] == [5]


def test_a_hanging_decoder_is_stopped(video):
    decoder = Decoder(timeout_s=0.0)
    with pytest.raises(UnusableVideo, match="hangs the decoder"):
        list(decoder.read(video, CUTTING))
    assert decoder.process is None
