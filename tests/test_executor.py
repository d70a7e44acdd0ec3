"""lapa.executor: a process, a pool and Ray do the same; killed ones lose nothing. `-m slow` for Ray and a whole build."""

import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from executor_work import Heavy, deadly, square, threads
from raw_videos import cut_short, steady, write_video

from lapa.config import compose
from lapa.executor import TRIES, Pool, run_all
from lapa.executor_ray import Ray
from lapa.stage import result_hashes
from video_data.build import main

NUMBERS = list(range(6))


@pytest.mark.parametrize("num_workers", [0, 2])
def test_results_come_in_the_order_of_the_items(num_workers):
    assert list(run_all(square, NUMBERS, num_workers=num_workers, label="x")) == [n * n for n in NUMBERS]


def test_each_process_has_one_thread(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    assert list(Pool(num_workers=2).map(partial(threads), [0, 1])) == [1, 1]
    assert "OMP_NUM_THREADS" not in os.environ and os.environ["MKL_NUM_THREADS"] == "3"


@pytest.mark.parametrize("num_workers", [0, 2])
def test_an_error_is_told_as_it_was(num_workers):
    with pytest.raises(ValueError, match="77 is no number"):
        list(run_all(square, [1, 77, 3], num_workers=num_workers, label="x"))


def test_a_killed_process_loses_nothing(tmp_path):
    work = partial(deadly, folder=tmp_path, deaths=TRIES - 1)
    assert list(Pool(num_workers=2).map(work, NUMBERS)) == [n * n for n in NUMBERS]
    assert (tmp_path / "2").read_text() == "x" * TRIES


def test_an_item_that_always_kills_is_named(tmp_path):
    work = partial(deadly, folder=tmp_path, deaths=99)
    with pytest.raises(RuntimeError, match=f"killed {TRIES} times before it could finish 2"):
        list(Pool(num_workers=2).map(work, NUMBERS))
    assert len((tmp_path / "2").read_text()) >= TRIES


def test_a_kill_while_another_process_is_started_is_survived(monkeypatch):
    start, killed = ProcessPoolExecutor._spawn_process, []

    def start_slowly(pool):
        if pool._processes and not killed:
            killed.extend(pool._processes)
            os.kill(killed[0], signal.SIGKILL)
            time.sleep(0.5)  # [s]: whoever watches the processes has long seen it
        start(pool)

    monkeypatch.setattr(ProcessPoolExecutor, "_spawn_process", start_slowly)
    assert list(Pool(num_workers=2).map(abs, NUMBERS)) == NUMBERS and killed


def test_a_slow_item_is_not_blamed_for_the_kills_of_another(tmp_path):
    work = partial(deadly, folder=tmp_path, deaths=99, slow={0: 2.0})  # [s]; 2 kills both processes long before
    with pytest.raises(RuntimeError, match=f"killed {TRIES} times before it could finish 2"):
        list(Pool(num_workers=2).map(work, NUMBERS))


def test_the_function_is_sent_once_a_process_and_items_as_they_are_needed(tmp_path, monkeypatch):
    monkeypatch.setattr("lapa.executor.AHEAD", 3)
    work = Heavy(tmp_path)
    assert list(Pool(num_workers=2).map(work, list(range(20)))) == [n * n for n in range(20)]
    assert len(list(tmp_path.iterdir())) <= 2


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """Twenty that are whole and twenty that are not."""
    folder = tmp_path_factory.mktemp("videos")
    for number in range(20):
        whole = write_video(folder / f"{number:02d}.mp4", times_ms=steady(30 + number))
        cut_short(whole, folder / f"{number:02d}_cut.mp4")
    return folder


def build(videos: Path, out: Path, *more: str) -> dict[str, str]:
    main(compose("build", [f"videos={videos}", f"out={out}", "image_px=32", "videos_per_shard=1", *more]))
    return result_hashes(out)


@pytest.fixture(scope="module")
def hashes(videos, tmp_path_factory) -> dict[str, str]:
    return build(videos, tmp_path_factory.mktemp("alone") / "clips", "num_workers=0")


def workers_of_this() -> list[int]:
    """Processes of the pool that this process has started: their decoders are left in peace."""
    children = Path(f"/proc/self/task/{threading.main_thread().native_id}/children").read_text().split()
    return [pid for pid in map(int, children) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def kill_now_and_then(out: Path, kills: int, ended: threading.Event, killed: list[int]) -> None:
    """Each time another shard is whole, a worker dies a random moment later."""
    rng, seen = np.random.default_rng(0), 0
    while len(killed) < kills and not ended.is_set():
        whole = len(list(out.glob("resume/*.json")))
        if whole > seen or not killed:
            seen = whole
            time.sleep(rng.uniform(0, 0.05))
            if workers := workers_of_this():
                os.kill(victim := int(rng.choice(workers)), signal.SIGKILL)
                killed.append(victim)
        time.sleep(0.01)


@pytest.mark.slow
def test_ten_random_kills_change_no_byte(videos, hashes, tmp_path):
    ended, killed = threading.Event(), []
    killer = threading.Thread(target=kill_now_and_then, args=(tmp_path / "clips", 10, ended, killed))
    killer.start()
    try:
        assert build(videos, tmp_path / "clips", "num_workers=2") == hashes
    finally:
        ended.set()
        killer.join()
    assert len(killed) == 10


@pytest.mark.slow
def test_ray_with_two_workers_changes_no_byte(videos, hashes, tmp_path):
    pytest.importorskip("ray")
    assert build(videos, tmp_path / "clips", "executor=ray", "num_workers=2") == hashes


@pytest.mark.slow
def test_ray_does_what_a_pool_does(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    ray = Ray(num_workers=2, address=None)
    assert list(ray.map(partial(deadly, folder=tmp_path, deaths=TRIES - 1), NUMBERS)) == [n * n for n in NUMBERS]
    with pytest.raises(ValueError, match="77 is no number"):
        list(ray.map(square, [1, 77, 3]))
    (tmp_path / "2").unlink()
    with pytest.raises(RuntimeError, match=f"killed {TRIES} times before it could finish 2"):
        list(ray.map(partial(deadly, folder=tmp_path, deaths=99), NUMBERS))
