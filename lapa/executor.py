"""One function over many items on all cores, in order, with a bar that shows rate and time left."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

Item = TypeVar("Item")
Result = TypeVar("Result")


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
    function: Callable[[Item], Result], items: Sequence[Item], *, num_workers: int, label: str,
    tell: Callable[[Result], str] = lambda _: "",
) -> Iterator[Result]:  # fmt: skip
    """Yield `function(item)` in the order of `items`, in `num_workers` fresh processes (0: in this one).

    `function` must be picklable. An error in an item is raised here, after which the pool is closed. What `tell` says of
    each result stands behind the label (a rate in the work's own units).
    """
    with bar() as progress:
        task = progress.add_task(label, total=len(items))
        for result in _map(function, items, num_workers):
            progress.update(task, advance=1, description=f"{label} {tell(result)}".rstrip())
            yield result


def _map(function: Callable[[Item], Result], items: Sequence[Item], num_workers: int) -> Iterator[Result]:
    if num_workers == 0 or len(items) < 2:
        yield from map(function, items)
        return
    # spawn: a fork would copy EGL contexts, decoders and thread pools that do not survive it
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(num_workers, len(items)), mp_context=context, initializer=_prepare) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def _prepare() -> None:
    """One thread each, as the processes already fill the cores; and none outlives a parent that was killed."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
