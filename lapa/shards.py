"""How records travel: WebDataset tars, written atomically and to the same bytes, read in sequence or by index."""

import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import webdataset as wds

from lapa.files import atomic_path

KEY_PATTERN = re.compile(r"[\w\-+=@]+")


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


class ShardIndex:
    """Random access to the samples of a list of tars: `index[i]` seeks and reads only that sample."""

    def __init__(self, paths: list[Path]):
        self.paths = paths
        self.keys: list[str] = []
        self._members: list[tuple[int, dict[str, tuple[int, int]]]] = []  # (path number, {name: (offset, size)})
        for number, path in enumerate(paths):
            self._scan(number, path)

    def _scan(self, number: int, path: Path) -> None:
        last = None
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, name = member.name.partition(".")
                if key != last:
                    self.keys.append(key)
                    self._members.append((number, {}))
                    last = key
                self._members[-1][1][name] = (member.offset_data, member.size)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, i: int) -> dict[str, Any]:
        number, members = self._members[i]
        sample: dict[str, Any] = {"__key__": self.keys[i]}
        with open(self.paths[number], "rb") as file:
            for name, (offset, size) in members.items():
                file.seek(offset)
                sample[name] = _decode(name, file.read(size))
        return sample
