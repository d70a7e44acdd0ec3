"""A folder in, the files that lie under it out; and names that tables give of files, checked."""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath

Place = tuple[int, int]  # device and number of a folder


def files_under(folder: Path | str, above: tuple[Place, ...] = ()) -> Iterator[str]:
    """Paths in `folder` of all files at any depth, with "/", in order; also behind links, but round no circle of links.

    What has a name that begins with a dot is left out. A link that leads nowhere counts as a file: it is told when it is
    read. OSError for a folder that may not be read, as nobody else would tell of it.
    """
    about = os.stat(folder)
    here = (about.st_dev, about.st_ino)
    if here in above:
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.name.startswith("."):
            continue
        if _is_folder(entry):
            yield from (f"{entry.name}/{path}" for path in files_under(entry.path, (*above, here)))
        else:
            yield entry.name


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()  # of all but links without another look at the disk
    except OSError:  # a link to itself
        return False


@lru_cache(maxsize=1 << 16)  # tables have millions of rows and name each video often
def inside(name: str) -> str:
    """A file's name as a table gives it, in one spelling; ValueError when it leads out of the folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"names a file outside of the folder: {name}")
    return str(path)
