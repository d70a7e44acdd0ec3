"""A proposer and a body in; accepted tasks, the unsolved but valid ones, all verdicts and the funnel out."""

import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from lapa.executor import run_all
from lapa.files import atomic_path, write_json
from lapa.stage import open_stage
from sim_finetune.episode import Studio
from sim_finetune.ladder import PASSED, SOLVING, Verdict, check_settings, climb, funnel, funnel_table
from sim_finetune.library import TASKS, save_task
from sim_finetune.spec import read_spec

PARTS = "resume"  # one verdict a file; not a result, so not hashed
SHELVES = {PASSED: TASKS, SOLVING: "unsolved"}


class Proposal(NamedTuple):
    """A text to judge; `path` gets the verdict, whole or not at all."""

    path: Path
    text: str


def judge(proposal: Proposal, *, settings: dict[str, Any], studio: Studio, first_seed: int) -> Verdict:
    """The verdict on one proposal, from disk when it was reached before."""
    if not proposal.path.exists():
        verdict = climb(proposal.text, settings=settings, studio=studio, first_seed=first_seed)
        write_json(proposal.path, verdict._asdict())
    return Verdict(**json.loads(proposal.path.read_text()))


def shelve(out: Path, verdicts: list[Verdict]) -> int:
    """Write tasks/ and unsolved/ (each task once) and verdicts.jsonl; returns the number accepted."""
    for verdict in verdicts:
        if verdict.rung in SHELVES:
            save_task(out / SHELVES[verdict.rung], read_spec(verdict.spec))
    with atomic_path(out / "verdicts.jsonl") as partial_path:
        partial_path.write_text("".join(json.dumps(verdict._asdict()) + "\n" for verdict in verdicts))
    return len({verdict.task for verdict in verdicts if verdict.rung == PASSED})


def main(cfg: DictConfig) -> None:
    """`lapa propose out=DIR embodiment=NAME count=N`: what the proposer says, judged by the ladder."""
    console, studio = Console(), Studio.of(cfg)
    settings: Any = OmegaConf.to_container(cfg.ladder, resolve=True)
    check_settings(settings)
    with open_stage(cfg, inputs={}) as stage:
        if stage.done:
            return
        texts = instantiate(cfg.proposer).proposals()
        proposals = [Proposal(stage.out / PARTS / f"verdict-{i:06d}.json", text) for i, text in enumerate(texts)]
        work = partial(judge, settings=settings, studio=studio, first_seed=cfg.seed_base)
        verdicts = list(run_all(work, proposals, num_workers=cfg.num_workers, label="proposals"))
        accepted, reached = shelve(stage.out, verdicts), funnel(verdicts)
        write_json(stage.out / "funnel.json", reached)
        console.print(funnel_table(reached))
        refused = [f"{verdict.rung}: {verdict.reason}" for verdict in verdicts if verdict.rung != PASSED]
        console.print("\n".join(refused[:10]), soft_wrap=True, markup=False)
        if not accepted:
            raise ValueError(f"no task was accepted of {len(verdicts)} proposals; the first refusal: {refused[0]}")
        facts = {"embodiment": studio.embodiment.name, "proposed": len(verdicts), "funnel": reached}
        stage.finish(record="TaskSpec", count=accepted, **facts)
