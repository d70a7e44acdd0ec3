"""The same work by Ray, on this machine or a cluster: a function and items in, results in their order out."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lapa.executor import AHEAD, ONE_THREAD, TRIES, Item, Result, lost


class Ray:
    """Tasks of one core each. `address`: of a cluster that runs ("auto", "HOST:6379", "ray://HOST:10001"), all cores of
    which are used; None: one of `num_workers` cores is started here, and ended with the work.

    Every machine must have this package and see the same folders under the same names.
    """

    def __init__(self, *, num_workers: int, address: str | None):
        self.num_workers, self.address = num_workers, address

    def map(self, function: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """RuntimeError when an item's processes are killed `TRIES` times. See `lapa.executor.Executor.map`."""
        ray = _ray()
        joined = ray.is_initialized()
        if not joined:
            self._connect(ray)

        @ray.remote(num_cpus=1, max_retries=TRIES - 1)  # of killed processes; an error of the function's own is told
        def work(item: Item) -> Result:
            return function(item)

        waiting: deque[tuple[Any, Item]] = deque()  # Ray keeps a result as long as its task is named
        try:
            for item in items:
                waiting.append((work.remote(item), item))
                if len(waiting) == AHEAD:
                    yield _result(ray, *waiting.popleft())
            while waiting:
                yield _result(ray, *waiting.popleft())
        finally:
            for task, _ in waiting:
                ray.cancel(task)
            if not joined:
                ray.shutdown()

    def _connect(self, ray: Any) -> None:
        told = {name: os.environ[name] for name in ("MUJOCO_GL",) if name in os.environ}
        cores = {} if self.address else {"num_cpus": max(1, self.num_workers), "include_dashboard": False}
        ray.init(
            address=self.address, runtime_env={"env_vars": ONE_THREAD | told}, logging_level="ERROR",
            log_to_driver=False, **cores,
        )  # fmt: skip


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent home
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # tasks without a GPU of their own may use it
    try:
        import ray
    except ImportError as error:
        raise ValueError("executor=ray needs `pip install 'lapa[ray]'`; or choose executor=pool") from error
    return ray


def _result(ray: Any, task: Any, item: Any) -> Any:
    try:
        return ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # the function's own error, as a pool raises it
    except ray.exceptions.RayError as error:
        raise RuntimeError(lost(item)) from error
