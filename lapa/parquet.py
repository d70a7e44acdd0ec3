"""A parquet file in, its table out; or one line that says what is wrong with it, or that pyarrow is not installed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any


def read_table(path: Path, columns: Sequence[str] | None) -> Any:
    """The pyarrow table of a file, all columns or `columns`; ValueError when it cannot be read."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ModuleNotFoundError as error:
        raise ValueError("this file is read with pyarrow: pip install 'lapa[parquet]'") from error
    if not path.is_file():
        raise ValueError(f"{path.name} is not there")
    try:
        return parquet.read_table(path, columns=None if columns is None else list(columns))
    except (arrow.ArrowException, OSError) as error:
        raise ValueError(f"{path.name} is unusable: {str(error).splitlines()[0]}") from error
