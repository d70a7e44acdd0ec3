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

# by which stores tell versions apart
MARKS = ("size", "ETag", "Content-MD5", "Digest", "Last-Modified", "LastModified", "mtime", "updated")
SLOWEST = 1000  # [bytes/s] of a whole file, after `stall_s`: a byte now and then would hold a worker for ever
# This machine's disk or files are spent.
OURS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE)


class Patience(NamedTuple):
    """How long a store may fail. What it sends more slowly than `SLOWEST` fails too."""

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
            fault = _copy(store, inside, path, patience.stall_s) or ("" if whole(path) else "its end is missing")
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


def _copy(store: Any, inside: str, path: Path, stall_s: float) -> str:
    """Why a copy is not whole, "" when it is. An error that is not a store's is a fault of ours, and raised."""
    try:
        before = store.info(inside)
        store.get_file(inside, str(path), callback=_pace(stall_s))
        after = store.info(inside)
    except Exception as error:
        check_ours(error)
        if (
            not isinstance(error, OSError | EOFError | ValueError)
            and type(error).__module__.partition(".")[0] not in STORES
        ):
            raise
        told = error.__cause__ or error  # fsspec says "not found" of whatever an http server answers
        return f"{type(told).__name__} {getattr(told, 'status', '')} {getattr(told, 'message', '')}".strip()
    there, promised = path.stat().st_size, before.get("size")
    if promised is not None and there != promised:
        return f"holds {there} of {promised} bytes"
    changed = [mark for mark in MARKS if before.get(mark) != after.get(mark)]
    return f"changed while it was loaded ({', '.join(changed)})" if changed else ""


def _pace(stall_s: float) -> Any:
    """What fsspec calls as bytes arrive; TimeoutError when they come too slowly."""
    started = 0.0

    def look(_size: int | None, loaded: int, **_: Any) -> None:
        nonlocal started
        started = started or time.monotonic()  # not before the server has answered
        taken_s = time.monotonic() - started
        if loaded < SLOWEST * (taken_s - stall_s):
            raise TimeoutError(f"{loaded} bytes in {taken_s:.0f} s")

    return optional("fsspec.callbacks", extra="remote").Callback(hooks={"pace": look})
