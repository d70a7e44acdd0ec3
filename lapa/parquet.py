"""Parquet files: written whole or not at all; read, or one line that says what is wrong with one."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow
import pyarrow.parquet

from lapa.files import atomic_path


def read_table(path: Path, columns: Sequence[str] | None) -> pyarrow.Table:
    """The table of a file, all columns or `columns`; ValueError when it cannot be read."""
    if not path.is_file():
        raise ValueError(f"{path.name} is not there")
    try:
        return pyarrow.parquet.read_table(path, columns=None if columns is None else list(columns))
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path.name} is unusable: {str(error).splitlines()[0]}") from error


def write_table(path: Path, table: pyarrow.Table) -> None:
    """Write a table atomically."""
    with atomic_path(path) as partial:
        pyarrow.parquet.write_table(table, partial)
