"""One process writes a folder at a time: a second command on it is told so, and a killed one leaves nothing locked."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Hold `out` until the block ends or this process does; its lock is the hidden file `.<name>.lock` beside it.

    A record lock: the children of a process that was killed do not hold it, and it works over NFS. BlockingIOError names
    the process that holds it. A file system that knows no locks is written without one.
    """
    place = out.resolve()
    path = place.parent / f".{place.name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path, out):
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


@contextmanager
def _locked(path: Path, out: Path) -> Iterator[None]:
    """Hold the lock of the file that `path` names: one that was unlinked while it was waited for is nobody's."""
    while True:
        with open(path, "a+") as file:
            _lock(file, out)
            if _is_at(path, file):
                yield
                return


def _is_at(path: Path, file: TextIO) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: TextIO, out: Path) -> None:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as held:
        file.seek(0)
        holder = file.read().strip() or "another process"
        raise BlockingIOError(f"{out} is being written by {holder}; wait for it or stop it") from held
    except OSError:
        return
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
