"""A yaml of plausible sizes, areas and tolerances in; a Catalogue out, from which proposers furnish tasks by name."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sim_finetune.objects import object_classes

Row = dict[str, Any]


class Catalogue(NamedTuple):
    """What proposers choose from; every choice has a name, so that a grammar or a language model can say it.

    names: objects' names, in the order in which they are given away; kinds: {kind: {groups, area, yaw_range_rad,
    fields}}, where groups say what an object is good for and fields are the class's own, at medium size; sizes: {word:
    factor on all lengths}; areas: {word: region_m}; values: {field or kind.field of a statement: [sensible values]};
    task, stage: fields that every one of them gets.
    """

    names: list[str]
    kinds: Mapping[str, Row]
    sizes: Mapping[str, float]
    areas: Mapping[str, list[float]]
    values: Mapping[str, list[Any]]
    task: Row
    stage: Row

    def group(self, word: str) -> list[str]:
        """The kinds in a group, or the kind of that name; ValueError lists both."""
        if word in self.kinds:
            return [word]
        groups = sorted({name for row in self.kinds.values() for name in row["groups"]})
        if word not in groups:
            raise ValueError(f"no kind or group {word!r}; there are kinds {list(self.kinds)} and groups {groups}")
        return [kind for kind, row in self.kinds.items() if word in row["groups"]]

    def thing(self, name: str, kind: str, *, colour: str, size: str, area: str) -> Row:
        """An object of a task spec; ValueError names the word that the catalogue lacks. area "": the kind's own."""
        return self.furnish(name, kind, colour=colour, factor=pick(self.sizes, size, "size"), area=area)

    def furnish(self, name: str, kind: str, *, colour: str, factor: float, area: str) -> Row:
        """The same with any factor on the lengths of medium size."""
        row = pick(self.kinds, kind, "kind")
        region = pick(self.areas, area or row["area"], "area")
        thing = {"kind": kind, "name": name, "colour": colour, **scaled(row["fields"], factor)}
        return thing | {"region_m": list(region), "yaw_range_rad": list(row["yaw_range_rad"])}


def pick(table: Mapping[str, Any], word: Any, what: str) -> Any:
    """`table[word]`; ValueError lists the words there are."""
    if not isinstance(word, str) or word not in table:
        raise ValueError(f"no {what} {str(word)[:40]!r}; there are {list(table)}")
    return table[word]


def scaled(fields: Mapping[str, Any], factor: float) -> Row:
    """The fields with every length (a name that ends in `_m`) times `factor`, to a tenth of a millimetre."""
    return {name: _times(value, factor) if name.endswith("_m") else value for name, value in fields.items()}


def _times(value: Any, factor: float) -> Any:
    return [_times(part, factor) for part in value] if isinstance(value, list) else round(value * factor, 4)


def read_catalogue(table: Mapping[str, Any]) -> Catalogue:
    """The catalogue of a yaml; ValueError when it names a kind of which there is no class, or an area it lacks."""
    catalogue = Catalogue(**table)
    classes = [cls.model_fields["kind"].annotation.__args__[0] for cls in object_classes()]  # type: ignore[union-attr]
    for kind, row in catalogue.kinds.items():
        if kind not in classes:
            raise ValueError(f"the catalogue has a kind {kind!r}; objects are {classes}")
        pick(catalogue.areas, row["area"], f"area of {kind}")
    return catalogue
