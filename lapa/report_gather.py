"""A recipe's folder in → one `Stage` record a sub-folder: what it wrote, read once and never changed."""

import base64
import json
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

from lapa.metrics import LOGS, read_metrics
from lapa.stage import FINGERPRINT, LOG, MANIFEST, TIMING, manifest_hash

PAGE = "Page"  # the record of a report
PAGE_SETTINGS = {"claim", "max_videos"}  # entries of a config that only a report has
TASK_QUALITY = "TaskQuality"  # quality.json is of a set of tasks when this is its "record", else of latent codes

Curves = dict[str, list[tuple[int, float]]]  # metric name → (step, value), steps ascending and unique


class Stage(NamedTuple):
    """One door's output folder. Entries a door does not write are None or empty."""

    name: str  # relative to the recipe's folder, as in "rollout_lapa"
    folder: Path
    manifest: dict[str, Any] | None  # None: the door has not finished
    sources: list[str]  # names of the stages it read
    timing: dict[str, Any] | None
    log: list[dict[str, Any]]
    curves: Curves
    quality: dict[str, Any] | None
    funnel: Any | None
    summary: dict[str, Any] | None
    episodes: list[dict[str, Any]]
    images: dict[str, Path]  # strips, swaps, codes
    videos: dict[str, Path]  # by file name

    @property
    def finished(self) -> bool:
        """Whether the door ended well: it writes its manifest last."""
        return self.manifest is not None

    @property
    def card(self) -> dict[str, Any] | None:
        """quality.json when it is of latent codes."""
        return None if (self.quality or {}).get("record") == TASK_QUALITY else self.quality

    @property
    def fact(self) -> dict[str, Any]:
        """The manifest, or an empty one while the door is unfinished."""
        return self.manifest or {}


def gather(runs: Sequence[Path], *, skip: Path) -> list[Stage]:
    """Read every stage in the given folders, each a recipe's folder or one stage's; sources before their readers.

    `skip` is the report's own folder, which may lie among them; other reports, finished or not, are left out as well: two
    that showed each other would never be done.

    Raises ValueError for a folder that is missing or holds no stage, for two stages of one name, and for a file that is
    not what its name says (naming file and line).
    """
    if not runs:
        raise ValueError("runs is empty; name recipes' or stages' folders: lapa report runs=[outputs/demo] out=…")
    stages: dict[str, Stage] = {}
    for name, folder in (found for run in runs for found in stage_folders(Path(run))):
        if folder.resolve() == skip.resolve():
            continue
        if name in stages:
            raise ValueError(f"two stages are called {name!r}: {stages[name].folder} and {folder}; report them apart")
        stages[name] = read_stage(name, folder)
    return in_walking_order({name: stage for name, stage in stages.items() if not _is_page(stage)})


def in_walking_order(stages: dict[str, Stage]) -> list[Stage]:
    """Fill in each stage's `sources` from the hashes of its inputs, and sort sources before readers, else by name."""
    name_of = {manifest_hash(stage.folder): name for name, stage in stages.items() if stage.finished}
    inputs = {name: (_json(stage.folder / FINGERPRINT) or {}).get("inputs", {}) for name, stage in stages.items()}
    sources = {name: sorted(name_of[h] for h in set(inputs[name].values()) if h in name_of) for name in sorted(stages)}
    return [stages[name]._replace(sources=sources[name]) for name in TopologicalSorter(sources).static_order()]


def stage_folders(run: Path) -> list[tuple[str, Path]]:
    """(name, folder) of each stage in a recipe's folder; of the folder itself when it is a stage."""
    if not run.is_dir():
        raise ValueError(f"no folder {str(run)!r} to report on")
    found = [(run.resolve().name, run)] if _is_stage(run) else [(str(f.relative_to(run)), f) for f in _below(run)]
    if not found:
        raise ValueError(f"{str(run)!r} holds no stage: no {FINGERPRINT} in it or in its sub-folders")
    return found


def read_stage(name: str, folder: Path) -> Stage:
    """Read one door's folder. Of an unfinished door, rows that a kill cut in the middle are left out."""
    manifest = _json(folder / MANIFEST)
    whole = manifest is not None
    return Stage(
        name=name,
        folder=folder,
        manifest=manifest,
        sources=[],
        timing=_json(folder / TIMING),
        log=_rows(folder / LOG, whole=whole),
        curves=read_curves(folder),
        quality=_json(folder / "quality.json"),
        funnel=_json(folder / "funnel.json"),
        summary=_json(folder / "summary.json"),
        episodes=_rows(folder / "episodes.jsonl", whole=whole),
        images={path.stem: path for path in sorted(folder.glob("*.png"))},
        videos={path.name: path for path in sorted(folder.glob("*.mp4"))},
    )


def data_uri(path: Path) -> str:
    """A file's bytes as a data: address, so that the page needs nothing beside it."""
    kinds = {".mp4": "video/mp4", ".png": "image/png"}
    return f"data:{kinds[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def read_curves(folder: Path) -> Curves:
    """A training's curves. Raises ValueError naming the folder when a log is not a table of numbers."""
    try:
        return {name: list(curve.items()) for name, curve in sorted(read_metrics(folder).items())}
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{folder / LOGS}: metrics.csv is not a table of numbers by step ({error})") from error


def _is_page(stage: Stage) -> bool:
    settings = (_json(stage.folder / FINGERPRINT) or {}).get("config", {})
    return stage.fact.get("record") == PAGE or settings.keys() >= PAGE_SETTINGS


def _is_stage(folder: Path) -> bool:
    return (folder / FINGERPRINT).exists() or (folder / MANIFEST).exists()


def _below(folder: Path) -> Iterator[Path]:
    """Stage folders under a folder, never inside another stage."""
    for child in sorted(path for path in folder.iterdir() if path.is_dir()):
        if _is_stage(child):
            yield child
        else:
            yield from _below(child)


def _json(path: Path) -> Any | None:
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not whole JSON ({error}); run its door again") from error


def _rows(path: Path, *, whole: bool) -> list[dict[str, Any]]:
    """JSON lines. `whole`: the door has finished, so a cut last line is an error and not the trace of a kill."""
    if not path.exists():
        return []
    lines = path.read_text().splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            if whole or number < len(lines):
                raise ValueError(f"{path}, line {number} is not JSON ({error}); run its door again") from error
    return rows
