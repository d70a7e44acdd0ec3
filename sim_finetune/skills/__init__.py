"""What the oracle can do: a file and a generator of tool goals for each skill, found by looking into this folder."""

import importlib
from collections.abc import Callable

from sim_finetune.skills.base import Goal, Skill, Step, World, smallest_turn
from sim_finetune.skills.families import FAMILIES

SKILL_NAMES = (
    "reach",
    "grasp",
    "lift",
    "place",
    "push",
    "pull_joint",
    "turn_joint",
    "press",
    "insert",
    "sweep",
    "release",
)


def skill(name: str) -> Callable[[World, Step], Skill]:
    """The generator called `name`, of the file of that name; ValueError lists what there is."""
    if name not in SKILL_NAMES:
        raise ValueError(f"no skill {name!r}; there are {list(SKILL_NAMES)}")
    found: Callable[[World, Step], Skill] = getattr(importlib.import_module(f"{__name__}.{name}"), name)
    return found


__all__ = ["FAMILIES", "SKILL_NAMES", "Goal", "Skill", "Step", "World", "skill", "smallest_turn"]
