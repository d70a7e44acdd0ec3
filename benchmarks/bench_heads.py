"""Head × strategy: a latent policy and demonstrations in, how often each cell's policy succeeds, and what it cost, out.

    python benchmarks/bench_heads.py tasks=DIR demos=DIR latent_policy=DIR out=DIR [heads=chunk,bins] [strategies=full,lora]
        [steps=500] [episodes=4] [train="model.normalisation=quantile trainer.precision=32-true"] [rollout=batch=50]

The folders are those of `lapa run recipe=demo`. Every cell is trained and rolled out on the same validation seeds by the
house's own doors, each in a process of its own, and lies in out/HEAD-STRATEGY: what is finished is skipped, what was
killed goes on. Ends with a table, in out/table.md too: success held to the end with its 95 % interval, against the
default (chunk, full) on the same starts (exact McNemar), parameters, time, memory.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from lapa.config import choices
from lapa.files import atomic_path
from lapa.stage import TIMING, read_manifest
from lapa.stats import mcnemar_exact, wilson

DEFAULT = ("chunk", "full")
LATENT_HEADS = ("parallel", "autoregressive")  # of configs/head, those that name codes
VALIDATION_SEEDS, MEASURE = 2_000_000, "success_held"
COLUMNS = ("head", "strategy", "success", "95 %", "against default", "p", "trained", "of", "training", "peak memory")


class Job(NamedTuple):
    """Places, and what every cell is given."""

    tasks: Path
    demos: Path
    latent_policy: Path
    out: Path
    train: list[str]
    rollout: list[str]


def play(job: Job, head: str, strategy: str) -> Path:
    """Train and roll out one cell; its folder."""
    cell = job.out / f"{head}-{strategy}"
    groups = [f"head@model.head={head}", f"strategy@model.strategy={strategy}"]
    places = [f"demos={job.demos}", f"init_from={job.latent_policy}", f"out={cell}/policy"]
    enter("train", ["experiment=action_policy", *places, *groups, *job.train])
    places = [f"checkpoint={cell}/policy", f"tasks={job.tasks}", f"out={cell}/rollout"]
    enter("rollout", [*places, f"seed_base={VALIDATION_SEEDS}", "videos_per_task=0", *job.rollout])
    return cell


def enter(door: str, overrides: list[str]) -> None:
    """`lapa DOOR …` as a process of its own, whose peak memory is its own; it skips what it has done with these settings."""
    subprocess.run([sys.executable, "-m", "lapa", door, *overrides], check=True)


def held(cell: Path) -> dict[tuple[str, int], bool]:
    """Whether each start, by task and seed, ended in success."""
    rows = [json.loads(line) for line in (cell / "rollout" / "episodes.jsonl").read_text().splitlines()]
    return {(row["task"], row["seed"]): row[MEASURE] for row in rows}


def row(cell: Path, default: Path) -> list[str]:
    """A cell's line; ValueError when it was not rolled out on the default's starts."""
    ours, theirs = held(cell), held(default)
    if ours.keys() != theirs.keys():
        raise ValueError(f"{cell} met other starts than {default}: give both the same tasks and episodes")
    successes, count = sum(ours.values()), len(ours)
    low, high = wilson(successes, count)
    manifest = read_manifest(cell / "policy")
    seconds = json.loads((cell / "policy" / TIMING).read_text())["seconds"]
    peak = manifest["final"].get("memory/peak_mb", float("nan"))  # a training of fewer steps than it logs has none
    versus = ["–", "–"]
    if cell != default:
        difference = (successes - sum(theirs.values())) / count
        versus = [f"{difference:+.0%}", f"{mcnemar_exact((ours[start], theirs[start]) for start in ours):.3f}"]
    return [
        *cell.name.split("-"), f"{successes / count:.0%} ({successes} of {count})", f"{low:.0%} – {high:.0%}", *versus,
        f"{manifest['trained_parameters'] / 1e6:.2f} M", f"{manifest['all_parameters'] / 1e6:.2f} M",
        f"{seconds:.0f} s", f"{peak:.0f} MB",
    ]  # fmt: skip


def main(job: Job, heads: list[str], strategies: list[str]) -> None:
    """The default first, then cell by cell; the table is written anew after each."""
    cells = dict.fromkeys([DEFAULT, *((head, strategy) for strategy in strategies for head in heads)])
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    default = job.out / "-".join(DEFAULT)
    for number, (head, strategy) in enumerate(cells, start=1):
        Console().rule(f"cell {number} of {len(cells)}: {head}, {strategy}")
        lines.append(f"| {' | '.join(row(play(job, head, strategy), default))} |")
        with atomic_path(job.out / "table.md") as partial:
            partial.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    given = {"steps": "500", "episodes": "4", "train": "", "rollout": "", "strategies": ",".join(choices("strategy"))}
    given["heads"] = ",".join(name for name in choices("head") if name not in LATENT_HEADS)
    given |= dict(word.split("=", 1) for word in sys.argv[1:])
    train = [f"trainer.max_steps={given['steps']}", *given["train"].split()]
    rollout = [f"episodes_per_task={given['episodes']}", *given["rollout"].split()]
    folders = (Path(given[key]) for key in ("tasks", "demos", "latent_policy", "out"))
    main(Job(*folders, train, rollout), given["heads"].split(","), given["strategies"].split(","))
