"""Text from outside in, JSON or YAML; a tree of dicts, lists and literals out; ValueError for what no task file needs."""

import json
import re
from typing import Any

import yaml

from sim_finetune.faults import Pairs, faults

STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
TEXT = "tag:yaml.org,2002:str"


def check_size(size: int, max_bytes: int) -> None:
    """ValueError for a text that is longer."""
    if size > max_bytes:
        raise ValueError(f"{size} bytes; at most {max_bytes} are read")


def read_json(text: str, *, max_bytes: int, max_depth: int) -> Any:
    """The document; ValueError when it is long, deep, gives a key twice or holds what is no number."""
    check_size(len(text.encode("utf-8")), max_bytes)  # lone surrogates raise UnicodeEncodeError, a ValueError
    if (depth := _brackets(text)) > max_depth:
        raise ValueError(f"nested {depth} deep; at most {max_depth}")
    value = json.loads(text, object_pairs_hook=Pairs)
    for path, fault in faults(value):
        raise ValueError(f"{path}: {fault}")
    return value


def _brackets(source: str) -> int:
    """Deepest nesting, counted on the text because a parser would recurse."""
    depth = deepest = 0
    for letter in STRING.sub("", source):
        depth += (letter in "[{") - (letter in "]}")
        deepest = max(deepest, depth)
    return deepest


def read_yaml(text: str, *, max_bytes: int) -> Any:
    """The document; ValueError when it is long, no YAML, too deep for the parser, or refers to other parts of itself."""
    check_size(len(text.encode("utf-8")), max_bytes)
    try:
        return yaml.load(text, Loader=_Plain)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


class _Plain(yaml.SafeLoader):
    """YAML without aliases, a few of which stand for billions of parts; keys are words, `on` and `no` too."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise ValueError(f"line {mark.line + 1}: an alias (*{self.peek_event().anchor}); write it out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                key.tag = TEXT
        return super().construct_mapping(node, deep=deep)
