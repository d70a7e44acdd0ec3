"""Steps of a recipe at the same time: each in a process of its own, as soon as the steps whose folders it names are done."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

THREADS = "OMP_NUM_THREADS"
TOLD_LINES = 12  # of the log of a step that failed
LOOKED_BYTES = 400  # at the end of a log, for what the step's own bar says
EVERY_S = 1.0
RUNNER = "LAPA_RUNNER"  # of a step's process: the id of the one that began it


class Running(NamedTuple):
    """The processes of steps, and whether they have been told to end."""

    processes: list[subprocess.Popen[bytes]]
    stopped: threading.Event


def run_side_by_side(
    commands: Mapping[str, list[str]], needed: Mapping[str, set[str]], *, jobs: int, logs: Path, console: Console,
    ended: Callable[[str, float], None],
) -> None:  # fmt: skip
    """Run `python -m lapa *commands[name]` for every step, `jobs` at a time, each with its share of the cores' threads.

    What a step prints goes to `logs/<step>.log`; the bar shows the last line of each that runs. ended: called with each
    step and its seconds. ChildProcessError with the end of its log when a step fails, which is told at once; those that
    run are waited for, no others begun. Told to stop (Ctrl-C, SIGTERM), it stops them first, and killed they end with it:
    the same command goes on where they were.
    """
    environment = {THREADS: str(max(1, (os.cpu_count() or 1) // jobs)), **os.environ, RUNNER: str(os.getpid())}
    waiting, done, failed = dict(commands), set[str](), list[BaseException]()
    with ThreadPoolExecutor(jobs) as pool, _bar(console) as progress, _stopping() as steps:
        total = progress.add_task("steps", total=len(commands))
        running: dict[Future[float], str] = {}
        rows: dict[str, Any] = {}
        while running or (waiting and not failed):
            for name in [] if failed else _ready(waiting, needed, done)[: jobs - len(running)]:
                running[pool.submit(_run, waiting.pop(name), _log(logs, name), environment, steps)] = name
                rows[name] = progress.add_task(name, total=None)
            finished, _ = wait(running, timeout=EVERY_S, return_when=FIRST_COMPLETED)
            for name in running.values():
                progress.update(rows[name], description=f"{name}  {_last_line(_log(logs, name))}")
            for future in finished:
                name = running.pop(future)
                progress.remove_task(rows.pop(name))
                if error := future.exception():
                    failed.append(error)
                    console.print(_failure(name, error, list(running.values())), highlight=False, markup=False)
                    continue
                ended(name, future.result())
                done.add(name)
                progress.advance(total)
    if failed:
        raise failed[0]


@contextmanager
def _stopping() -> Iterator[Running]:
    """The processes of steps, which end when this one is told to; SIGTERM raises SystemExit meanwhile."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    running = Running([], threading.Event())
    try:
        yield running
    except BaseException:
        running.stopped.set()
        for process in running.processes:
            process.terminate()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def end_with_runner() -> None:
    """In the process of a step: it ends when the one that began it does, which may have been killed."""
    if runner := os.environ.pop(RUNNER, ""):  # not for what this step begins in its turn
        threading.Thread(target=_end_after, args=(int(runner),), daemon=True).start()


def _end_after(runner: int) -> None:
    while os.getppid() == runner:
        time.sleep(EVERY_S)
    os._exit(1)


def _failure(name: str, error: BaseException, running: list[str]) -> str:
    said = str(error).partition("\n")[0].rstrip(":")
    return f"{name}  failed: {said}" + (f"; waiting for {', '.join(running)}" if running else "")


def _bar(console: Console) -> Progress:
    text = TextColumn("{task.description}", markup=False)
    return Progress(text, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console)


def _ready(waiting: Mapping[str, Any], needed: Mapping[str, set[str]], done: set[str]) -> list[str]:
    return [name for name in waiting if needed[name] <= done]


def _log(logs: Path, name: str) -> Path:
    return logs / f"{name.replace('/', '.')}.log"


def _run(command: list[str], log: Path, environment: Mapping[str, str], running: Running) -> float:
    """Seconds that the command took; ChildProcessError with what it said last when it failed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.time()
    with open(log, "wb") as file:
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": file, "stderr": subprocess.STDOUT}
        process = subprocess.Popen([sys.executable, "-m", "lapa", *command], env=environment, **streams)
        running.processes.append(process)
        if running.stopped.is_set():  # just before, so that this one was not told
            process.terminate()
        status = process.wait()
    if status:
        said = "\n".join(list(_lines(log.read_bytes()))[-TOLD_LINES:])
        raise ChildProcessError(f"lapa {command[0]} ended with status {status}; all it said is in {log}:\n{said}")
    return time.time() - started


def _last_line(log: Path) -> str:
    if not log.is_file():
        return ""
    with open(log, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - LOOKED_BYTES))
        return next(reversed(list(_lines(file.read()))), "")[-60:]


def _lines(said: bytes) -> Iterator[str]:
    """Lines that hold something; of a bar that was drawn again and again each drawing is one."""
    yield from (line.strip() for line in re.split(r"[\r\n]+", said.decode(errors="replace")) if line.strip())
