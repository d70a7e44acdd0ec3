"""Names of a robot's states and actions in; which state each action is relative to out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lapa.stage import read_manifest

GRIPPER = "gripper"  # an opening in [0, 1]: told as it is, where nobody says otherwise
STILL = 1e-5  # a standard deviation below this is a quantity that never changes: it is not scaled


def state_sources(state_names: Sequence[str], action_names: Sequence[str], absolute: Sequence[str]) -> list[int]:
    """For each action, the state it is relative to, or −1: the state of the same name unless listed in `absolute`."""
    _check_actions(absolute, action_names)
    places = {name: i for i, name in enumerate(state_names) if name not in absolute}
    return [places.get(name, -1) for name in action_names]


def absolute_of(asked: Sequence[str] | None, action_names: Sequence[str]) -> list[str]:
    """Which actions of a robot are not relative to its state: those asked for, or with None the gripper if it has one."""
    return [name for name in action_names if name == GRIPPER] if asked is None else list(asked)


def share_absolute(asked: Sequence[str] | None, robots: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str] | None]:
    """Action names by robot → what each is asked for of `asked`; ValueError names what none of them has."""
    if asked is None:
        return dict.fromkeys(robots)
    _check_actions(asked, sorted({name for names in robots.values() for name in names}))
    return {robot: [name for name in asked if name in names] for robot, names in robots.items()}


def _check_actions(absolute: Sequence[str], action_names: Sequence[str]) -> None:
    for name in absolute:
        if name not in action_names:
            raise ValueError(f"no action {name!r} to keep absolute; there are {', '.join(action_names)}")


def acted_manifest(folder: str | Path) -> dict[str, Any]:
    """The manifest of a robot's demonstrations; ValueError where the folder holds something that nobody acted."""
    manifest = read_manifest(Path(folder))
    if not {"embodiment", "state_names", "action_names", "cameras"} <= manifest.keys():
        raise ValueError(f"{folder} holds {manifest['record']}, without actions; give demonstrations (`lapa collect`)")
    return manifest
