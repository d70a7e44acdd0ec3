"""The recipe runner: named doors in order, each into its own folder; unchanged ones are skipped, killed ones go on."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from lapa.settings import steps_of
from lapa.stage import MANIFEST


class Step(NamedTuple):
    """How one step went: seconds in this run, and whether its inputs were unchanged."""

    name: str
    door: str
    seconds: float
    skipped: bool


def main(cfg: DictConfig) -> None:
    """Run `cfg.recipe.steps` ({name: {door, with: [overrides]}}) into `cfg.out/<name>`, those of a recipe with settings for
    `cfg.setting` and `cfg.arms`; ends with a table.
    """
    console = Console()
    base = Path(cfg.out)
    # Reports last: what a recipe adds to another's steps comes behind them.
    wanted = steps_of(cfg.recipe, setting=cfg.setting, arms=cfg.arms)
    steps = sorted(wanted.items(), key=lambda item: item[1]["door"] == "report")
    done = []
    for number, (name, step) in enumerate(steps, start=1):
        console.rule(f"{number}/{len(steps)}  {name}  (lapa {step['door']})")
        done.append(run_step(name, step, base, cfg))
    console.print(summary(done))
    page = base / "report" / "page.html"
    if page.is_file():
        console.print(f"page: {page.resolve()}", soft_wrap=True)


def run_step(name: str, step: Mapping[str, Any], base: Path, cfg: DictConfig) -> Step:
    """Enter one door. Everything under `base` is the recipe's own, so a changed step replaces its old result."""
    from lapa.cli import enter

    out, started = base / name, time.time()
    before = _stamp(out)
    common = [f"out={out}", "overwrite=true", f"num_workers={cfg.num_workers}", f"seed={cfg.seed}"]
    enter(step["door"], [*common, *step["with"]], Path(cfg.config_dir) if cfg.config_dir else None)
    return Step(name, step["door"], time.time() - started, before is not None and _stamp(out) == before)


def _stamp(out: Path) -> int | None:
    manifest = out / MANIFEST
    return manifest.stat().st_mtime_ns if manifest.is_file() else None


def summary(steps: list[Step]) -> Table:
    """What ran, what was skipped, how long each took."""
    table = Table("step", "door", "time", title="recipe")
    for step in steps:
        table.add_row(step.name, step.door, "unchanged" if step.skipped else f"{step.seconds:.0f} s")
    table.add_row("all", "", f"{sum(step.seconds for step in steps):.0f} s", style="bold")
    return table
