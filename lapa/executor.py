"""One function over many items on all cores or a cluster, in order, with a bar that shows rate and time left."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, process
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

Item = TypeVar("Item")
Result = TypeVar("Result")
TRIES = 3  # that an item gets whose process is killed; a killed one comes from outside, so the next may live
AHEAD = 10_000  # items that are given out before the first of them is done: of millions, each would cost memory
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

_function: Callable[[Any], Any]  # of a process of a pool


class Executor(Protocol):
    """Where the work is done: `configs/executor`."""

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """`function(item)` in the order of `items`; an error in an item is raised here and ends the work."""
        ...


class RateColumn(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


def bar() -> Progress:
    """The project's progress bar: label, bar, count, rate, time left."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn()
    )


def run_all(
    function: Callable[[Item], Result], items: Sequence[Item], *, label: str, num_workers: int = 0,
    executor: Executor | None = None, tell: Callable[[Result], str] = lambda _: "",
) -> Iterator[Result]:  # fmt: skip
    """Yield `function(item)` in the order of `items`, by `executor`, or in a `Pool` of `num_workers`.

    `function` must be picklable, and right when it is called twice: a killed process's work is done again. What `tell`
    says of each result stands behind the label (a rate in the work's own units).
    """
    with bar() as progress:
        task = progress.add_task(label, total=len(items))
        for result in (executor or Pool(num_workers=num_workers)).map(function, items):
            progress.update(task, advance=1, description=f"{label} {tell(result)}".rstrip())
            yield result


class Pool:
    """`num_workers` fresh processes of this machine; 0: in this one."""

    def __init__(self, *, num_workers: int):
        self.num_workers = num_workers

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """RuntimeError when processes are killed `TRIES` times while nothing is finished. See `Executor.map`."""
        if self.num_workers == 0 or len(items) < 2:
            yield from map(function, items)
            return
        done: dict[int, Any] = {}
        given = killed = finished = 0
        while given < len(items):
            # its last try is a process of its own: what another item kills beside it is not its fault
            some = items[: given + 1] if killed == TRIES - 1 else items
            try:
                for result in self._rest(function, some, given, done):
                    given += 1
                    yield result
                killed = 0
            except BrokenProcessPool as error:
                killed = 1 if given + len(done) > finished else killed + 1
                finished = given + len(done)
                if killed == TRIES:
                    raise RuntimeError(lost(items[given])) from error

    def _rest(
        self, function: Callable[[Item], Result], items: Sequence[Item], start: int, done: dict[int, Any]
    ) -> Iterator[Result]:
        """Results from `start` on, by one pool; when one of its processes is killed, `done` keeps what others finished."""
        to_do = deque(number for number in range(start, len(items)) if number not in done)
        # spawn: a fork would copy EGL contexts, decoders and thread pools that do not survive it
        context = multiprocessing.get_context("spawn")
        futures: dict[int, Future[Any]] = {}
        with (
            _one_thread_each(),
            ProcessPoolExecutor(
                max(1, min(self.num_workers, len(to_do))),
                mp_context=context,
                initializer=_prepare,
                initargs=(function,),
            ) as pool,
        ):
            try:
                for number in range(start, len(items)):
                    while to_do and to_do[0] < number + AHEAD:
                        given = to_do.popleft()
                        futures[given] = pool.submit(_work, items[given])
                    yield done.pop(number) if number in done else futures.pop(number).result()
            except BrokenProcessPool:
                ended = {number: future for number, future in futures.items() if future.done()}
                done |= {number: future.result() for number, future in ended.items() if not future.exception()}
                raise
            finally:
                for future in futures.values():
                    future.cancel()


class _Manager(process._ExecutorManagerThread):
    """The thread that ends a pool one of whose processes was killed, and never while work is given out.

    Python 3.11 lets it: a process that is started meanwhile, or an item given out, is then waited for without end.
    """

    def terminate_broken(self, cause: Any) -> None:
        """Under the lock of `submit`, which from then on refuses."""
        with self.shutdown_lock:
            if executor := self.executor_reference():
                executor._broken, executor._shutdown_thread = "a process of the pool was killed", True
        super().terminate_broken(cause)


process._ExecutorManagerThread = _Manager  # type: ignore[misc]


def lost(item: Any) -> str:
    """What to say of work whose processes are killed again and again."""
    return f"a process was killed {TRIES} times before it could finish {str(item)[:200]}: too little memory?"


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """For processes begun meanwhile, as they already fill the cores. Theirs from the start: what counts threads reads it when
    it is loaded, which is before anything of ours runs there."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name in ONE_THREAD:
            os.environ.pop(name, None)
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _prepare(function: Callable[[Any], Any]) -> None:
    """None outlives a parent that was killed.

    `function` is sent once a process, not once an item: a source may know of millions of videos.
    """
    global _function
    _function = function
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _work(item: Any) -> Any:
    return _function(item)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
