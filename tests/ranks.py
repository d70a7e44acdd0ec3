"""A script in, what two processes of it leave in a folder out; trainings that are killed on every rank at once."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightning as L

HERE = Path(__file__).parent


def free_ports(count: int) -> list[str]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def run_ranks(script: str, folder: Path, *, ports: int, timeout_s: float) -> None:
    """Two processes of tests/`script`, given `folder`; a port for the first group, `ports` more in PORTS."""
    port, *more = free_ports(1 + ports)
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "PORTS": ",".join(more)}
    command = [sys.executable, str(HERE / script), str(folder)]
    ranks = [{"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(2)]
    processes = [subprocess.Popen(command, env=os.environ | shared | rank) for rank in ranks]
    try:
        assert [process.wait(timeout=timeout_s) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()


def killed(module: type[L.LightningModule], run: Callable[[], None], *, at: int) -> None:
    """`run()`, of which every rank dies when a training of `module` begins step `at`."""
    step = module.training_step

    def die(self: Any, *args: Any) -> Any:
        if self.global_step == at:
            raise ConnectionAbortedError("killed")
        return step(self, *args)

    module.training_step = die  # type: ignore[method-assign]
    with suppress(ConnectionAbortedError):
        run()
    module.training_step = step  # type: ignore[method-assign]
