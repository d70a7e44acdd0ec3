"""video_data.decoder: what a video does to the decoding process is that video's fault alone."""

import os
import signal
import time
from types import SimpleNamespace

import pytest
from raw_videos import steady, write_video

from video_data.decode import Cutting
from video_data.decoder import Decoder
from video_data.header import UnusableVideo

CUTTING = Cutting(fps=10, image_px=32, fit="crop", max_clip_s=1, min_source_fps=4, decoder="av", memory_gb=2)
MANY = CUTTING._replace(fps=30)  # six pieces of `long_video`, more than the pipe holds: a child has to wait with some


@pytest.fixture
def decoder():
    decoder = Decoder(timeout_s=60)
    yield decoder
    decoder.stop()


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "a.mp4", times_ms=steady(60))


@pytest.fixture
def long_video(tmp_path):
    return write_video(tmp_path / "long.mp4", times_ms=steady(180))


@pytest.mark.parametrize("name", ["av", "decord"])
def test_what_crashes_one_decoder_is_read_on_by_another(decoder, long_video, name):
    whole = [piece.frames.astype(int) for piece in decoder.read(long_video, MANY)]
    reading = decoder.read(long_video, MANY._replace(decoder=name))
    pieces = [next(reading).frames]
    os.kill(decoder.process.pid, signal.SIGSEGV)
    pieces += [piece.frames for piece in reading]
    assert len(pieces) == len(whole) == 6
    assert all(abs(a - b).max() <= 12 for a, b in zip(whole, pieces, strict=True)), "as near as two decoders are"


def test_what_crashes_both_decoders_costs_one_video(decoder, video, long_video):
    reading = decoder.read(long_video, MANY)
    next(reading)
    os.kill(decoder.process.pid, signal.SIGSEGV)
    decoder._start, start = lambda: (start(), os.kill(decoder.process.pid, signal.SIGSEGV)), decoder._start
    with pytest.raises(UnusableVideo, match=r"crashes the decoder \(SIGSEGV\)"):
        list(reading)
    decoder._start = start
    assert len(list(decoder.read(video, CUTTING))) == 2


def test_a_bomb_of_pixels_is_stopped_by_the_cap_on_memory(decoder, tmp_path):
    size = (4096, 4096)  # 25 MB a frame, from a file of some kilobytes
    bomb = write_video(tmp_path / "b.mp4", times_ms=steady(3), size=size, moves=False, options={"preset": "ultrafast"})
    assert bomb.stat().st_size < 200_000
    with pytest.raises(UnusableVideo, match="memory|crashes|damaged"):
        list(decoder.read(bomb, CUTTING._replace(memory_gb=0.02)))
    assert len(list(decoder.read(bomb, CUTTING))) == 1, "the next video has its own cap"


def test_a_decoder_that_is_not_there_names_the_choices(decoder, video):
    with pytest.raises(ValueError, match="no decoder='vlc'; there are av, decord, torchcodec, nvdec") as caught:
        list(decoder.read(video, CUTTING._replace(decoder="vlc")))
    assert not isinstance(caught.value, UnusableVideo), "that is no video's fault"


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


def hang():
    yield 1
    time.sleep(1000)


def crash():
    yield 1
    os.kill(os.getpid(), signal.SIGSEGV)


def fill():
    yield 1
    yield len(bytearray(1 << 31))


@pytest.mark.parametrize("work, words", [(hang, "hangs the decoder"), (crash, "SIGSEGV"), (fill, "more than 1 GB")])
def test_what_any_reader_does_costs_its_file(work, words):
    decoder, seen = Decoder(timeout_s=2 if work is hang else 60), []
    with pytest.raises(UnusableVideo, match=words):
        seen.extend(decoder.run(work, memory_gb=1))
    decoder.stop()


def test_a_decoder_that_was_killed_while_it_waited_costs_nothing(decoder, video):
    whole = len(list(decoder.read(video, CUTTING)))
    for wait in (True, False):  # noticed before the video is asked for, or as it is
        os.kill(decoder.process.pid, signal.SIGKILL)
        if wait:
            decoder.process.join()
        assert len(list(decoder.read(video, CUTTING))) == whole


def test_one_that_is_killed_in_the_middle_of_an_answer_is_lost(decoder, video):
    def half():
        os.kill(decoder.process.pid, signal.SIGKILL)
        raise OSError("got end of file during message")

    reading = decoder.read(video, CUTTING._replace(decoder="av"))
    first = next(reading)
    pipe, decoder._pipe = decoder._pipe, SimpleNamespace(poll=lambda _: True, recv=half, close=lambda: pipe.close())
    assert len([first, *reading]) == 2, "PyAV reads on in a new process"
