"""lapa.lock: one at a time, also while the file that is locked comes and goes."""

import threading
import time
from multiprocessing import get_context

from lapa.lock import writing


def enter(out, seconds, counts):
    """Go in and out as often as there is time; how often somebody else was inside."""
    end, met = time.monotonic() + seconds, 0
    mark = out / "inside"
    while time.monotonic() < end:
        try:
            with writing(out):
                try:
                    mark.mkdir()
                except FileExistsError:
                    met += 1
                    continue
                mark.rmdir()
        except BlockingIOError:
            pass
    counts.put(met)


def test_no_two_processes_are_ever_inside(tmp_path):
    context, out = get_context("spawn"), tmp_path / "out"
    out.mkdir()
    counts = context.Queue()
    several = [context.Process(target=enter, args=(out, 2.0, counts)) for _ in range(3)]
    for one in several:
        one.start()
    assert sum(counts.get(timeout=60) for _ in several) == 0
    for one in several:
        one.join()


def test_a_link_and_its_folder_are_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    told = []

    def other():
        from subprocess import run

        code = f"from pathlib import Path; from lapa.lock import writing\nwith writing(Path({str(tmp_path / 'real')!r})): pass"
        told.append(run(["python", "-c", code], capture_output=True, text=True).stderr)

    with writing(tmp_path / "link"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert "is being written by process" in told[0]
