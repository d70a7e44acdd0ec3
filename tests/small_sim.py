"""What the simulation's tests share: tiny studios, the hand-written tasks, and folders of them."""

import shutil
from pathlib import Path

from lapa.doors import configs_dir
from sim_finetune.embodiment import load_embodiment
from sim_finetune.episode import Studio
from sim_finetune.library import load_task
from sim_finetune.spec import TaskSpec


def studio(embodiment: str = "panda", max_steps: int = 60) -> Studio:
    """32 px pictures: small enough to draw hundreds."""
    return Studio(load_embodiment(embodiment), 32, 10, ("front",), max_steps)


def task(name: str) -> TaskSpec:
    """A hand-written task."""
    return load_task(configs_dir() / "task" / f"{name}.yaml")


def task_folder(folder: Path, *names: str) -> Path:
    """A folder with some hand-written tasks."""
    folder.mkdir()
    for name in names:
        shutil.copy(configs_dir() / "task" / f"{name}.yaml", folder)
    return folder
