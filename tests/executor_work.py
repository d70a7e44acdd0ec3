"""Work for tests of executors, in a file that imports little: every process of a pool reads it."""

import os
import signal
import time
from pathlib import Path


def square(number: int) -> int:
    if number == 77:
        raise ValueError("77 is no number")
    return number * number


def deadly(number: int, *, folder: Path, deaths: int, slow: dict[int, float] | None = None) -> int:
    """Kills its own process the first `deaths` times that it is given 2; numbers of `slow` take so many seconds."""
    time.sleep((slow or {}).get(number, 0))
    mark = folder / str(number)
    times = len(mark.read_text()) if mark.exists() else 0
    mark.write_text("x" * (times + 1))
    if number == 2 and times < deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return square(number)


class Heavy:
    """Work that leaves a file in `folder` each time that a process receives it."""

    def __init__(self, folder: Path):
        self.folder = folder

    def __setstate__(self, state: dict) -> None:
        self.__dict__ = state
        (self.folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()

    def __call__(self, number: int) -> int:
        return square(number)


def threads(_number: int) -> int:
    """How many threads torch computes with here."""
    import torch

    return torch.get_num_threads()
