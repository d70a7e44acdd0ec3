"""How records travel: WebDataset tars, written atomically and to the same bytes, read in sequence or by index."""

import io
import json
import re
import tarfile
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import webdataset as wds

from lapa.files import atomic_path

KEY_PATTERN = re.compile(r"[\w\-+=@]+")
GROUP = 2**16  # keys whose ends are counted from one place: 32 bits are enough for each
ABOUT_NEXT = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)  # no files


def check_key(key: str) -> str:
    """Return `key`; ValueError when it has a dot or a slash (WebDataset cuts a key at its first dot) or is empty."""
    if not KEY_PATTERN.fullmatch(key):
        raise ValueError(f"key {key!r} may only hold letters, digits and _-+=@ (no dot, slash or space)")
    return key


def write_shard(path: Path, samples: Iterable[dict[str, Any]]) -> int:
    """Write samples `{"__key__": key, "mp4": bytes, "json": dict, "state.npy": array …}`; returns how many.

    The file appears whole or not at all, and holds no clock, so the same samples give the same bytes.
    """
    seen: set[str] = set()
    with atomic_path(path) as partial, wds.TarWriter(str(partial), mtime=0, user="lapa", group="lapa") as tar:
        for sample in samples:
            key = check_key(sample["__key__"])
            if key in seen:
                raise ValueError(f"key {key!r} occurs twice in {path.name}")
            seen.add(key)
            tar.write({name: _encode(name, value) for name, value in sample.items()})
    return len(seen)


def _encode(name: str, value: Any) -> Any:
    if name.endswith("json"):
        return json.dumps(value, sort_keys=True).encode()
    if name.endswith("npy"):
        buffer = io.BytesIO()
        np.save(buffer, value, allow_pickle=False)
        return buffer.getvalue()
    return value


def _decode(name: str, data: bytes) -> Any:
    if name.endswith("json"):
        return json.loads(data)
    if name.endswith("npy"):
        return np.load(io.BytesIO(data), allow_pickle=False)
    return data


def shard_paths(folder: Path) -> list[Path]:
    """The tars of a folder in order; ValueError when there is none."""
    paths = sorted(Path(folder).glob("*.tar"))
    if not paths:
        raise ValueError(f"no shards (*.tar) in {folder}")
    return paths


def read_shard(path: Path) -> Iterator[dict[str, Any]]:
    """The samples of one tar in order, as `write_shard` took them."""
    index = ShardIndex([path])
    return (index[i] for i in range(len(index)))


class Keys(Sequence[str]):
    """Names of samples in one buffer: 4 bytes more a key than its letters."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._groups = array("Q")  # where each group of keys begins in the text
        self._ends = array("I")  # where each key ends, from its group's beginning

    def append(self, key: str) -> None:
        """Add a key at the end."""
        if len(self._ends) % GROUP == 0:
            self._groups.append(len(self._text))
        self._text += key.encode()
        self._ends.append(len(self._text) - self._groups[-1])

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, i: Any) -> Any:
        places = range(len(self))[i]
        return self._key(places) if isinstance(places, int) else [self._key(place) for place in places]

    def _key(self, i: int) -> str:
        group, start = self._groups[i // GROUP], self._ends[i - 1] if i % GROUP else 0
        return self._text[group + start : group + self._ends[i]].decode()

    def __iter__(self) -> Iterator[str]:
        return map(self._key, range(len(self)))


class ShardIndex:
    """Random access to the samples of a list of tars: `index[i]` seeks and reads only that sample.

    10 bytes a sample besides its key, in flat arrays: processes that fork share them, spawned ones get a copy. Sizes are
    read where they stand, in the tar's own headers.
    """

    def __init__(self, paths: list[Path]):
        self.paths = paths
        self.keys = Keys()
        self._firsts = array("Q")  # the number of each tar's first sample
        self._blocks = array("I")  # where each sample begins, in blocks; one more a tar: where its last one ends
        self._layouts = array("H")  # of each sample
        self._names: dict[tuple[str, ...], int] = {}  # what a sample may consist of → the number of this layout
        for path in paths:
            self._scan(path)
        self._by_number = list(self._names)

    def _scan(self, path: Path) -> None:
        self._firsts.append(len(self.keys))
        end = 0
        with tarfile.open(path) as tar:
            for key, group in groupby(tar, lambda member: member.name.partition(".")[0]):
                members = list(group)
                names = tuple(member.name.partition(".")[2] for member in members)
                self.keys.append(key)
                self._blocks.append(members[0].offset // tarfile.BLOCKSIZE)
                self._layouts.append(self._names.setdefault(names, len(self._names)))
                end = _next_header(members[-1].offset_data, members[-1].size)
        self._blocks.append(end // tarfile.BLOCKSIZE)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, i: int) -> dict[str, Any]:
        i = range(len(self))[i]
        number = bisect_right(self._firsts, i) - 1
        start, end = (block * tarfile.BLOCKSIZE for block in self._blocks[i + number : i + number + 2])
        with open(self.paths[number], "rb") as file:
            file.seek(start)
            members = _members(file.read(end - start), self._by_number[self._layouts[i]])
            return {"__key__": self.keys[i]} | {name: _decode(name, data) for name, data in members}


def _members(data: bytes, names: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """A sample's stretch of a tar → its files, which are called `names`; POSIX.1-2001, pax: "ustar Interchange Format"."""
    at = 0
    for name in names:
        while True:
            start, size, kind = at + tarfile.BLOCKSIZE, int(data[at + 124 : at + 135], 8), data[at + 156 : at + 157]
            at = _next_header(start, size)
            if kind not in ABOUT_NEXT:
                break
        yield name, data[start : start + size]


def _next_header(start: int, size: int) -> int:
    """Where the header after a file stands [bytes]: files fill whole blocks."""
    return start + -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
