"""Several sources in, their clips as those of one out: one quantizer learns from all of them."""

from collections.abc import Iterator, Mapping
from itertools import chain, zip_longest
from typing import Any

from lapa.files import value_hash
from video_data.clip import Clip, Fault

Item = tuple[str, Any]


class Several:
    """sources: {name: a source}; their items come in turn, so that every shard shows all of them."""

    def __init__(self, *, sources: Mapping[str, Any]):
        self.sources = dict(sources)

    def items(self) -> list[Item]:
        """(name of the source, its own item), the first of each, then the second of each, …"""
        rows = zip_longest(*([(name, item) for item in source.items()] for name, source in self.sources.items()))
        return [item for item in chain(*rows) if item is not None]

    def contents(self) -> str:
        """A hash of what all of them show."""
        return value_hash({name: source.contents() for name, source in self.sources.items()})

    def read(self, item: Item) -> Iterator[Clip | Fault]:
        """The clips of one item, their keys led by the source's name; what its source raises."""
        name, inner = item
        for clip in self.sources[name].read(inner):
            if isinstance(clip, Fault):
                yield clip._replace(item=f"{name}/{clip.item}")
            else:
                yield clip._replace(key=f"{name}-{clip.key}", source=f"{name}/{clip.source}")
