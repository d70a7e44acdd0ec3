"""What the oracle can do: for each skill that a task may hint, a file of its name with a generator of tool goals."""

import importlib
from collections.abc import Callable
from typing import get_args

from sim_finetune.skills.base import Goal, Skill, Step, World, smallest_turn
from sim_finetune.skills.families import FAMILIES
from sim_finetune.stages import SkillName

SKILL_NAMES: tuple[str, ...] = get_args(SkillName)


def skill(name: str) -> Callable[[World, Step], Skill]:
    """The generator called `name`, of the file of that name; ValueError lists what there is."""
    if name not in SKILL_NAMES:
        raise ValueError(f"no skill {name!r}; there are {list(SKILL_NAMES)}")
    found: Callable[[World, Step], Skill] = getattr(importlib.import_module(f"{__name__}.{name}"), name)
    return found


__all__ = ["FAMILIES", "SKILL_NAMES", "Goal", "Skill", "Step", "World", "skill", "smallest_turn"]
