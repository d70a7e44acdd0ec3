"""The address of a file (http, s3, gs or any that fsspec knows) in; a whole copy of it on this machine out, for a while."""

import errno
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from video_data.header import UnusableVideo
from video_data.sources.sequence import optional

ARROW = (
    "s3",
    "gs",
    "gcs",
)  # pyarrow, which is there anyway, speaks with these stores and reads their usual credentials
STORES = (
    "aiohttp",
    "botocore",
    "google",
    "gcsfs",
    "s3fs",
    "fsspec",
)  # packages with errors of their own for a store's faults

OURS = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)  # this machine's disk or files are spent


class Patience(NamedTuple):
    """How long a store may fail."""

    attempts: int
    wait_s: float  # [s] before the second attempt; twice as long before each further one
    stall_s: float  # [s] without a byte


def check_ours(error: Exception) -> None:
    """Raise an error of this machine, as a full disk: no shard is to be blamed for it."""
    if isinstance(error, OSError) and error.errno in OURS:
        raise error


@contextmanager
def copied(address: str, patience: Patience, *, whole: Callable[[Path], bool]) -> Iterator[Path]:
    """A copy of what lies at `address`, removed afterwards; `whole` says whether one is, for servers that tell no length.

    UnusableVideo with the last reason when every attempt failed; ValueError when the package for such an address is missing.
    """
    store, inside = open_store(address, patience)
    with tempfile.TemporaryDirectory(prefix="lapa-") as folder:
        path = Path(folder) / "copy"
        for attempt in range(patience.attempts):
            if attempt:
                time.sleep(patience.wait_s * 2 ** (attempt - 1))
            fault = _copy(store, inside, path) or ("" if whole(path) else "its end is missing")
            if not fault:
                break
        else:
            raise UnusableVideo(f"cannot be loaded in {patience.attempts} attempts: {fault}")
        yield path


def open_store(address: str, patience: Patience) -> tuple[Any, str]:
    """The file system of an address, as fsspec's, and the path in it; ValueError names what is missing or wrong."""
    kind = address.partition("://")[0]
    if kind in ARROW:
        import pyarrow
        import pyarrow.fs

        try:
            store, inside = pyarrow.fs.FileSystem.from_uri(address.replace("gcs://", "gs://"))
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{address} cannot be asked for: {error}") from error
        return optional("fsspec.implementations.arrow", extra="remote").ArrowFSWrapper(store), inside
    settings: dict[str, Any] = {}
    if kind in ("http", "https"):
        aiohttp = optional("aiohttp", extra="remote")
        settings = {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=None, sock_read=patience.stall_s)}}
    try:
        return optional("fsspec.core", extra="remote").url_to_fs(address, **settings)
    except (ImportError, ValueError) as error:
        raise ValueError(f"{address} cannot be asked for: {error}") from error


def _copy(store: Any, inside: str, path: Path) -> str:
    """Why a copy is not whole, "" when it is. An error that is not a store's is a fault of ours, and raised."""
    try:
        promised = store.info(inside).get("size")
        store.get_file(inside, str(path))
    except Exception as error:
        check_ours(error)
        if not isinstance(error, OSError | EOFError) and type(error).__module__.partition(".")[0] not in STORES:
            raise
        told = error.__cause__ or error  # fsspec says "not found" of whatever an http server answers
        return f"{type(told).__name__} {getattr(told, 'status', '')} {getattr(told, 'message', '')}".strip()
    there = path.stat().st_size
    return "" if promised is None or there == promised else f"holds {there} of {promised} bytes"
