"""`lapa tasks ACTION`: a library of tasks in; a table, a task in words, pictures, a film, a verdict or plain files out."""

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lapa.executor import run_all
from lapa.files import atomic_path, write_json
from sim_finetune.album import SHEET, contact_sheet, first_picture, write_mp4, write_png
from sim_finetune.episode import Studio, kept_env, play
from sim_finetune.ladder import PASSED, RUNGS, Verdict, climb
from sim_finetune.library import (
    MOST_BYTES,
    SEEDS,
    SUFFIXES,
    library_path,
    load_evidence,
    load_library,
    load_task,
    save_task,
)
from sim_finetune.predicates import every
from sim_finetune.quality import measure_library
from sim_finetune.reading import read_json
from sim_finetune.rollout import task_name
from sim_finetune.rungs_proof import UNDISTURBED
from sim_finetune.scene import build_scene
from sim_finetune.shipping import ship
from sim_finetune.spec import TaskSpec, json_schema
from sim_finetune.values import MAX_DEPTH, has_values

SCHEMA = "task.schema.json"


def main(cfg: DictConfig) -> None:
    """Do one of ACTIONS; ValueError lists them."""
    if cfg.action not in ACTIONS:
        raise ValueError(f"no action {cfg.action!r}; there are {list(ACTIONS)}")
    ACTIONS[cfg.action](cfg, Console())


def library_folder(cfg: DictConfig) -> Path:
    """The library that is meant: a folder, one that ships, by its name, or the hand-written tasks."""
    return library_path(Path(cfg.library or SEEDS))


def find(cfg: DictConfig) -> TaskSpec:
    """The task that is meant: a file, a name, or the beginning of a hash; ValueError lists what there is."""
    if not cfg.name:
        raise ValueError(f"{cfg.action} needs a task: a name, the beginning of a hash, or a file")
    word = str(cfg.name)
    if Path(word).suffix in SUFFIXES:
        return load_task(Path(word), cfg.seed)
    specs = load_library(library_folder(cfg))
    found = [spec for spec in specs if spec.name == word] or [spec for spec in specs if spec.hash.startswith(word)]
    if len(found) != 1:
        names = sorted(task_name(spec) for spec in found or specs)
        raise ValueError(f"{'several tasks are' if found else 'no task is'} called {word!r}; there are {names}")
    return found[0]


def show_list(cfg: DictConfig, console: Console) -> None:
    """A line a task: what is in it, what is asked, and whether a ladder accepted it."""
    folder = library_folder(cfg)
    specs = load_library(folder)
    table = Table(title=f"{len(specs)} tasks in {folder}", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("task", "hash", "ladder", "objects", "goal", "says"):
        table.add_column(column, overflow="fold", no_wrap=column in ("task", "hash"))
    for spec in specs:
        verdict = load_evidence(folder, spec).get("rung", "")
        cells = [spec.name, spec.hash[:8], verdict, _objects(spec), _goal(spec), spec.instruction(0)]
        table.add_row(*map(Text, cells))  # Text: rich would read [brackets] in a plain str as style
    console.print(table)


def _objects(spec: TaskSpec) -> str:
    kinds = Counter(thing.kind for thing in spec.objects)
    return ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in kinds.items())


def _goal(spec: TaskSpec) -> str:
    simple = (inner.kind for inner in every(spec.goal) if not inner.inner())
    stages = f" after {len(spec.stages)} stages" if spec.stages else ""
    return ", ".join(dict.fromkeys(simple)) + stages


def show(cfg: DictConfig, console: Console) -> None:
    """One task: its words, its JSON, and what each rung of the ladder measured."""
    spec = find(cfg)
    console.print(Text(f"{task_name(spec)}: {spec.instruction(0)}", style="bold"), soft_wrap=True)
    console.print_json(json.dumps(spec.model_dump(mode="json", exclude_defaults=True)))
    in_library = Path(str(cfg.name)).suffix not in SUFFIXES
    if in_library and (record := load_evidence(library_folder(cfg), spec)):
        console.print_json(json.dumps(record))


def render(cfg: DictConfig, console: Console) -> None:
    """The start of an episode: of one task by every camera of the studio, or of all tasks on one sheet."""
    studio = _studio(cfg)
    if cfg.name:
        spec = find(cfg)
        for camera in studio.cameras:
            path = Path(cfg.out) / f"{task_name(spec)}-{camera}.png"
            write_png(path, first_picture(spec, studio._replace(cameras=(camera,)), seed=cfg.seed))
            console.print(Text(str(path)), soft_wrap=True)
        return
    specs = load_library(library_folder(cfg))
    draw = partial(first_picture, studio=studio, seed=cfg.seed)
    pictures = list(run_all(draw, specs, num_workers=cfg.num_workers, label="pictures"))
    captions = [f"{spec.name}: {spec.instruction(0)}" for spec in specs]
    path = Path(cfg.out) / SHEET
    write_png(path, contact_sheet(pictures, captions, columns=cfg.sheet_columns))
    console.print(Text(str(path)), soft_wrap=True)


def play_one(cfg: DictConfig, console: Console) -> None:
    """A film of the expert doing the task."""
    spec, studio = find(cfg), _studio(cfg)
    episode = play(kept_env(spec, studio), UNDISTURBED, seed=cfg.seed)
    path = Path(cfg.out) / f"{task_name(spec)}-{studio.embodiment.name}-{cfg.seed}.mp4"
    write_mp4(path, spec, episode, studio)
    end = "done" if episode.solved else "not done"
    console.print(Text(f"{episode.text}: {end} in {len(episode.success)} steps: {path}"), soft_wrap=True)


def validate(cfg: DictConfig, console: Console) -> None:
    """Take one file up the ladder: each rung with what it measured; ValueError with rung and place of the fault."""
    if not cfg.name:
        raise ValueError("validate needs a file: lapa tasks validate FILE")
    settings: Any = OmegaConf.to_container(cfg.ladder, resolve=True)
    path = Path(str(cfg.name))
    verdict = climb(_text(path, cfg.seed), settings=settings, studio=Studio.of(cfg), first_seed=cfg.seed_base)
    for line in report(verdict):
        console.print(Text(line), soft_wrap=True)
    if verdict.rung != PASSED:
        raise ValueError(f"{path}: refused at {verdict.rung}: {verdict.reason}")


def _text(path: Path, seed: int) -> str:
    """What the ladder judges: a JSON file as it stands; YAML, or the task that a seed draws, as JSON."""
    if path.suffix == ".json":
        text = path.read_text()
        try:
            literal = not has_values(read_json(text, max_bytes=MOST_BYTES, max_depth=MAX_DEPTH))
        except ValueError:  # R0 tells what is wrong with it
            literal = True
        if literal:
            return text
    return load_task(path, seed).model_dump_json()


def report(verdict: Verdict) -> list[str]:
    """A line a rung, as far as the task came."""
    passed = [f"✓ {name}  {_facts(verdict.facts[name])}".rstrip() for name in RUNGS if name in verdict.facts]
    return passed + (
        [f"✗ {verdict.rung}  {verdict.reason}"] if verdict.rung != PASSED else [f"accepted: {verdict.task}"]
    )


def _facts(facts: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in facts.items()
    )


def export(cfg: DictConfig, console: Console) -> None:
    """All tasks as plain files for others: <hash>.json, the scene with the robot as <hash>.xml, and the JSON Schema."""
    folder, body = Path(cfg.out), Studio.of(cfg).embodiment
    specs = load_library(library_folder(cfg))
    for spec in specs:
        save_task(folder, spec)
        with atomic_path(folder / f"{spec.hash}.xml") as partial_path:
            scene = build_scene(spec, body)
            scene.compile()
            partial_path.write_text(scene.to_xml())
    schema = folder / "schema" / SCHEMA  # in a folder of its own: `out` is a library too
    write_json(schema, json_schema())
    console.print(Text(f"{len(specs)} tasks and {schema.name}: {folder}"), soft_wrap=True)


def ship_library(cfg: DictConfig, console: Console) -> None:
    """What of a library goes with the package: `lapa tasks ship library=runs/tasks out=configs/libraries/NAME`."""
    without, again = tuple(map(str, cfg.without)), bool(cfg.overwrite)
    count = ship(library_folder(cfg), Path(cfg.out), without=without, overwrite=again)
    console.print(Text(f"{count} tasks with their records: {cfg.out}"), soft_wrap=True)


def quality(cfg: DictConfig, console: Console) -> None:
    """What the library is worth as a set: alignment, completion, diversity."""
    measure_library(cfg, console, library_folder(cfg))


def _studio(cfg: DictConfig) -> Studio:
    return Studio.of(cfg)._replace(image_px=cfg.picture_px)


ACTIONS: dict[str, Callable[[DictConfig, Console], None]] = {
    "list": show_list,
    "show": show,
    "render": render,
    "play": play_one,
    "validate": validate,
    "export": export,
    "ship": ship_library,
    "quality": quality,
}
