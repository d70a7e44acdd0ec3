"""Files that appear whole or not at all, and their hashes."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WHOLE_BYTES, END_BYTES = 1 << 20, 1 << 16  # larger files are told apart by their size, head and tail


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, moved onto `path` when the block ends well and removed when it does not.

    A full disk is reported with the folder's name; what was there before stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        with open(partial, "rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        raise OSError(error.errno, f"cannot write {path.name}: {error.strerror or error}", str(path.parent)) from error
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, keys sorted, so that equal values are equal bytes."""
    with atomic_path(path) as partial:
        partial.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def write_jsonl(path: Path, rows: Iterable[Any]) -> None:
    """Write a line of JSON for each row atomically, keys sorted; no row, an empty file."""
    with jsonl_lines(path) as write:
        write(rows)


@contextmanager
def jsonl_lines(path: Path) -> Iterator[Callable[[Iterable[Any]], None]]:
    """What writes rows as `write_jsonl`, some at a time; the file appears whole when the block ends."""
    with atomic_path(path) as partial, open(partial, "w") as file:
        yield lambda rows: file.writelines(json.dumps(row, sort_keys=True) + "\n" for row in rows)


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def value_hash(value: Any) -> str:
    """sha256 of a JSON-able value, hexadecimal; key order does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def quick_hash(path: Path) -> str:
    """A mark of a file's contents; of a large file its size, head and tail, which is quick."""
    if not os.path.isfile(path):
        return "not there"  # told when it is read
    try:
        size, data = path.stat().st_size, _ends(path)
    except OSError as error:  # told when it is read; here it only counts as other contents
        return f"unreadable: {error.strerror}"
    return f"{size}-{hashlib.sha256(data).hexdigest()[:16]}"


def _ends(path: Path) -> bytes:
    size = path.stat().st_size
    with open(path, "rb") as file:
        data = file.read(WHOLE_BYTES if size <= WHOLE_BYTES else END_BYTES)
        if size > WHOLE_BYTES:
            file.seek(-END_BYTES, 2)
            data += file.read()
    return data
