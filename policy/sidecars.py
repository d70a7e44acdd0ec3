"""Sidecars of labels in; a clip's rows by its key out, in flat arrays: a clip costs its rows, its key and 24 bytes."""

import hashlib
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from lapa.shards import Keys


class Rows(Mapping[str, np.ndarray]):
    """{clip key: rows [t …]}; row i says what happens from frame i to the one a gap later."""

    def __init__(self, names: Keys, rows: np.ndarray, ends: np.ndarray) -> None:
        """rows: of all clips, one after another; ends [clips]: where each clip's rows end."""
        self.names, self.rows, self.ends = names, rows, ends
        hashes = np.fromiter((_hash(name) for name in names), np.uint64, len(names))
        self._order = np.argsort(hashes, kind="stable").astype(np.uint32)
        self._hashes = hashes[self._order]

    def __getitem__(self, name: str) -> np.ndarray:
        wanted = _hash(name)
        place = int(np.searchsorted(self._hashes, wanted))
        while place < len(self._order) and self._hashes[place] == wanted:
            number = int(self._order[place])
            if self.names[number] == name:
                return self.rows[self.ends[number - 1] if number else 0 : self.ends[number]]
            place += 1
        raise KeyError(name)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)


def _hash(name: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()))


def read_sidecars(folder: Path, stem: str) -> Rows:
    """The rows of all `<stem>-*.safetensors` of a folder; ValueError when there is none."""
    paths = sorted(Path(folder).glob(f"{stem}-*.safetensors"))
    if not paths:
        raise ValueError(f"no {stem} ({stem}-*.safetensors) in {folder}")
    names, lengths, parts = Keys(), array("Q"), []
    for path in paths:
        found = load_file(path)
        for name, rows in found.items():
            names.append(name)
            lengths.append(len(rows))
        parts += [np.concatenate(list(found.values()))] if found else []
    return Rows(
        names, np.concatenate(parts) if parts else np.zeros((0, 0), np.uint8), np.cumsum(lengths, dtype=np.int64)
    )


def shuffled(labels: Rows, seed: int) -> Rows:
    """The same rows, each at another moment of any clip: what the control arm learns. As many rows a clip as before."""
    mixed = labels.rows[np.random.default_rng(seed).permutation(len(labels.rows))]
    return Rows(labels.names, mixed, labels.ends)
