"""The steps of a recipe in; which reads what which other makes out, by the folders that their overrides name."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Steps = Mapping[str, Mapping[str, Any]]
SLASHES = re.compile(r"/(\.?/)+")  # "a//b" and "a/./b" are a/b


def needs(steps: Steps, base: str) -> dict[str, set[str]]:
    """{step: the steps before it whose folders under `base` its overrides name}; a report needs all before it."""
    found: dict[str, set[str]] = {}
    base = os.path.normpath(base)
    for name, step in steps.items():
        text = _text(step)
        found[name] = {
            other
            for other in found
            if step["door"] == "report" or re.search(f"{re.escape(f'{base}/{other}')}(?![\\w.-])", text)
        }
    return found


def check_order(steps: Steps, base: str) -> None:
    """ValueError when a step that is no report names a folder under `base` that a later step makes, or that no step makes
    and that is not there."""
    base, before = os.path.normpath(base), set[str]()
    for name, step in steps.items():
        before.add(name)
        for folder in [] if step["door"] == "report" else _folders(step, base):
            makers = [other for other in steps if f"{folder}/".startswith(f"{other}/")]
            told = f"step {name} reads {base}/{folder}: "
            if not makers and not Path(base, folder).exists():
                raise ValueError(
                    f"{told}no chosen step makes it, and it is not there; choose the setting that does too, or name the "
                    "arm in the step that does"
                )
            if makers and before.isdisjoint(makers):
                raise ValueError(f"{told}step {makers[0]} makes it later")


def _folders(step: Mapping[str, Any], base: str) -> list[str]:
    """What the step's overrides name below `base`, alone or in a list or a mapping."""
    found = re.findall(rf"(?<![\w./-])(?:\./)?{re.escape(base)}/([^,\]}}'\"\n]+)", _text(step))
    return [folder.rstrip("/ ") for folder in found]


def _text(step: Mapping[str, Any]) -> str:
    return SLASHES.sub("/", "\n".join(step["with"]))
