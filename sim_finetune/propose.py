"""A proposer and a body in; accepted tasks with their pictures, the unsolved but valid ones, all verdicts, the funnel out."""

import copy
import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from PIL import Image
from rich.console import Console

from lapa.executor import run_all
from lapa.files import file_hash, value_hash, write_json, write_jsonl
from lapa.stage import open_stage
from sim_finetune.album import SHEET, THUMBNAIL, VIDEO, Page, contact_sheet, illustrate, write_png
from sim_finetune.bounds import check_counts
from sim_finetune.embodiment import with_body
from sim_finetune.episode import Studio
from sim_finetune.ladder import BROKEN, NOVELTY, PASSED, SOLVING, Verdict, check_settings, climb, funnel, funnel_table
from sim_finetune.library import TASKS, evidence_folder, load_library, save_evidence, save_task
from sim_finetune.novelty import Signature, repeats, signature
from sim_finetune.render import check_drawing
from sim_finetune.spec import read_spec

PARTS = "resume"  # one verdict a file; not a result, so not hashed
SHELVES = {PASSED: TASKS, SOLVING: "unsolved"}


class Proposal(NamedTuple):
    """A text to judge; `path` gets the verdict, whole or not at all."""

    path: Path
    text: str


class Court(NamedTuple):
    """How proposals are judged. known: tasks that none may repeat."""

    settings: dict[str, Any]
    studio: Studio
    first_seed: int
    known: tuple[Signature, ...]


def judge(proposal: Proposal, *, court: Court) -> Verdict:
    """The verdict on one proposal, from disk when it was reached before; a fault of ours is none, and tried again."""
    if proposal.path.exists():
        return Verdict(**json.loads(proposal.path.read_text()))
    verdict = climb(proposal.text, **court._asdict())
    if not verdict.reason.startswith(BROKEN):
        write_json(proposal.path, verdict._asdict())
    return verdict


def verdicts_on(proposer: Any, *, court: Court, folder: Path, batch: int, num_workers: int) -> Iterator[Verdict]:
    """The verdicts in the order of the proposals, none of which may repeat an earlier accepted one.

    A proposer that learns hears of each before it is asked for the next batch.
    """
    learn = getattr(proposer, "learn", None)
    texts, accepted = enumerate(proposer.proposals()), list[Signature]()
    for group in _batches(texts, batch if learn else None):
        proposals = [Proposal(folder / f"verdict-{i:06d}-{value_hash(text)[:8]}.json", text) for i, text in group]
        for verdict in run_all(partial(judge, court=court), proposals, num_workers=num_workers, label="proposals"):
            final = _unless_repeated(verdict, accepted, court.settings[NOVELTY])
            if learn:
                learn(final)
            yield final


def _batches(items: Iterator[Any], size: int | None) -> Iterator[list[Any]]:
    """In groups of `size`, each asked for when the last was dealt with; None: all at once."""
    while group := list(islice(items, size)):
        yield group


def _unless_repeated(verdict: Verdict, accepted: list[Signature], settings: dict[str, Any]) -> Verdict:
    """The verdict, or a refusal for want of novelty; what stays accepted joins `accepted`."""
    if verdict.rung != PASSED:
        return verdict
    own = signature(read_spec(verdict.spec))
    if fault := repeats(own, accepted, **settings):
        return verdict._replace(rung=NOVELTY, reason=fault)
    accepted.append(own)
    return verdict


def shelve(out: Path, verdicts: Sequence[Verdict], embodiment: str) -> list[Page]:
    """Write tasks/ and unsolved/ with each task's record, and verdicts.jsonl; returns the accepted, to be pictured."""
    pages = []
    for verdict in verdicts:
        if verdict.rung in SHELVES:
            spec, folder = read_spec(verdict.spec), out / SHELVES[verdict.rung]
            save_task(folder, spec)
            record = {"embodiment": embodiment, "rung": verdict.rung, "reason": verdict.reason, "facts": verdict.facts}
            save_evidence(folder, spec, record)
            if verdict.rung == PASSED:
                pages.append(Page(spec, evidence_folder(folder, spec), verdict.facts[SOLVING]["first_seed"]))
    write_jsonl(out / "verdicts.jsonl", (verdict._asdict() for verdict in verdicts))
    return pages


def picture(out: Path, pages: Sequence[Page], *, studio: Studio, num_workers: int, columns: int) -> None:
    """Thumbnail and oracle video of each accepted task, and all thumbnails on one sheet."""
    missing = [page for page in pages if not (page.folder / VIDEO).exists()]  # it is the last of a page's files
    for _ in run_all(partial(illustrate, studio=studio), missing, num_workers=num_workers, label="pictures"):
        pass
    thumbnails = [np.asarray(Image.open(page.folder / THUMBNAIL)) for page in pages]
    captions = [f"{page.spec.hash[:6]} {page.spec.instruction(0)}" for page in pages]
    write_png(out / SHEET, contact_sheet(thumbnails, captions, columns=columns))


def by_content(cfg: DictConfig) -> DictConfig:
    """`cfg` with the tasks and replies that it begins with in place of where they lie, and the body's own file: another
    task is another result.
    """
    cfg = copy.deepcopy(cfg)
    replies = OmegaConf.select(cfg, "proposer.model.path")
    for key in ("known", "proposer.library"):
        if folder := OmegaConf.select(cfg, key):
            OmegaConf.update(cfg, key, [spec.hash for spec in load_library(folder)])
    if replies and Path(replies).is_file():
        OmegaConf.update(cfg, "proposer.model.path", file_hash(Path(replies)))
    if OmegaConf.select(cfg, "proposer.transcript"):
        OmegaConf.update(cfg, "proposer.transcript", "")
    return with_body(cfg)


def main(cfg: DictConfig) -> None:
    """`lapa propose out=DIR embodiment=NAME count=N`: what the proposer says, judged by the ladder."""
    check_counts(cfg, "count", "batch")
    check_drawing()
    console, studio = Console(), Studio.of(cfg)
    settings: Any = OmegaConf.to_container(cfg.ladder, resolve=True)
    check_settings(settings)
    known = tuple(signature(spec) for spec in load_library(Path(cfg.known))) if cfg.known else ()
    court = Court(settings, studio, cfg.seed_base, known)
    with open_stage(by_content(cfg), inputs={}) as stage:
        if stage.done:
            return
        how = {"folder": stage.out / PARTS, "batch": cfg.batch, "num_workers": cfg.num_workers}
        verdicts = list(verdicts_on(instantiate(cfg.proposer), court=court, **how))
        pages, reached = shelve(stage.out, verdicts, studio.embodiment.name), funnel(verdicts)
        write_json(stage.out / "funnel.json", reached)
        console.print(funnel_table(reached))
        refused = [f"{verdict.rung}: {verdict.reason}" for verdict in verdicts if verdict.rung != PASSED]
        console.print("\n".join(refused[:10]), soft_wrap=True, markup=False)
        if not pages:
            raise ValueError(f"no task was accepted of {len(verdicts)} proposals; the first refusal: {refused[0]}")
        larger = studio._replace(image_px=cfg.picture_px)
        picture(stage.out, pages, studio=larger, num_workers=cfg.num_workers, columns=cfg.sheet_columns)
        facts = {"embodiment": studio.embodiment.name, "proposed": len(verdicts), "funnel": reached}
        stage.finish(record="TaskSpec", count=len(pages), **facts)
