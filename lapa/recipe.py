"""The recipe runner: named doors in order, each into its own folder; unchanged ones are skipped, killed ones go on."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from lapa.order import Steps, check_order, needs
from lapa.settings import steps_of
from lapa.stage import MANIFEST


class Step(NamedTuple):
    """How one step went: seconds in this run, and whether its inputs were unchanged."""

    name: str
    door: str
    seconds: float
    skipped: bool


def main(cfg: DictConfig) -> None:
    """Run `cfg.recipe.steps` ({name: {door, with: [overrides]}}) into `cfg.out/<name>`, `cfg.jobs` at a time, those of a
    recipe with settings for `cfg.setting` and `cfg.arms`, trained `cfg.trainings` times; ends with a table.

    ValueError when `cfg.jobs` is no whole number from 1 up, for videos that no step would read, and when a step would
    read what is not made before it.
    """
    if not isinstance(cfg.jobs, int) or cfg.jobs < 1:
        raise ValueError(f"jobs={cfg.jobs}: a whole number from 1 up")
    console = Console()
    base = Path(cfg.out)
    # Reports last: what a recipe adds to another's steps comes behind them.
    chosen = {name: cfg[name] for name in ("setting", "arms", "seed", "trainings")}
    wanted = steps_of(cfg.recipe, **chosen)
    if cfg.videos and not any(str(cfg.videos) in text for step in wanted.values() for text in step["with"]):
        raise ValueError(
            f"recipe={cfg.recipe.name} reads no videos={cfg.videos}; docs/experiment.md shows one that does"
        )
    steps = dict(sorted(wanted.items(), key=lambda item: item[1]["door"] == "report"))
    check_order(steps, str(base))
    console.print(summary(_at_once(steps, cfg, console) if cfg.jobs > 1 else _in_turn(steps, cfg, console)))
    page = base / "report" / "page.html"
    if page.is_file():
        console.print(f"page: {page.resolve()}", soft_wrap=True)


def _in_turn(steps: Steps, cfg: DictConfig, console: Console) -> list[Step]:
    """Enter one door after the other, in this process."""
    from lapa.cli import enter

    done = []
    for number, (name, step) in enumerate(steps.items(), start=1):
        console.rule(f"{number}/{len(steps)}  {name}  (lapa {step['door']})")
        before, started = _stamp(cfg, name), time.time()
        enter(step["door"], _overrides(name, step, cfg), Path(cfg.config_dir) if cfg.config_dir else None)
        done.append(Step(name, step["door"], time.time() - started, _unchanged(before, cfg, name)))
    return done


def _at_once(steps: Steps, cfg: DictConfig, console: Console) -> list[Step]:
    """Up to `cfg.jobs` doors at a time, each in a process of its own."""
    from lapa.side_by_side import run_side_by_side

    before, done = {name: _stamp(cfg, name) for name in steps}, []
    own = ["--config-dir", str(cfg.config_dir)] if cfg.config_dir else []
    commands = {name: [step["door"], *_overrides(name, step, cfg), *own] for name, step in steps.items()}

    def ended(name: str, seconds: float) -> None:
        done.append(Step(name, steps[name]["door"], seconds, _unchanged(before[name], cfg, name)))
        console.print(f"{name}  {'unchanged' if done[-1].skipped else f'{seconds:.0f} s'}", highlight=False)

    run_side_by_side(
        commands, needs(steps, str(cfg.out)), jobs=cfg.jobs, logs=Path(cfg.out) / "logs", console=console, ended=ended
    )
    return done


def _overrides(name: str, step: Mapping[str, Any], cfg: DictConfig) -> list[str]:
    """Everything under `cfg.out` is the recipe's own, so a changed step replaces its old result."""
    common = [f"out={Path(cfg.out) / name}", "overwrite=true", f"num_workers={cfg.num_workers}", f"seed={cfg.seed}"]
    return [*common, *step["with"]]


def _unchanged(before: int | None, cfg: DictConfig, name: str) -> bool:
    return before is not None and _stamp(cfg, name) == before


def _stamp(cfg: DictConfig, name: str) -> int | None:
    manifest = Path(cfg.out) / name / MANIFEST
    return manifest.stat().st_mtime_ns if manifest.is_file() else None


def summary(steps: list[Step]) -> Table:
    """What ran, what was skipped, how long each took."""
    table = Table("step", "door", "time", title="recipe")
    for step in steps:
        table.add_row(step.name, step.door, "unchanged" if step.skipped else f"{step.seconds:.0f} s")
    table.add_row("all", "", f"{sum(step.seconds for step in steps):.0f} s", style="bold")
    return table
