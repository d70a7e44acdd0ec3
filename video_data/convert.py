"""A LeRobotDataset in (folder or name on the hub); shards of demonstrations, as the expert's, out."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from lapa import hub
from lapa.demos import totals
from lapa.executor import run_all
from lapa.files import write_json, write_jsonl
from lapa.lerobot import Dataset, Episode, contents, names_of, open_dataset
from lapa.lerobot_rows import BrokenEpisode
from lapa.shards import ShardIndex, shard_paths, write_shard
from lapa.stage import Stage, open_stage
from video_data.build import Job, plan
from video_data.decoder import shared_decoder
from video_data.demonstration import Form, demonstrations
from video_data.header import UnusableVideo
from video_data.resample import FITS, check_side
from video_data.tally import REASONS_SHOWN, print_quarantine


def main(cfg: DictConfig) -> None:
    """`lapa convert dataset=… out=DIR`: an episode that is broken is left out and counted, with its reason."""
    folder = hub.fetch(cfg.dataset, kind="dataset", revision=cfg.revision)
    dataset, episodes = open_dataset(folder)
    form = make_form(cfg, dataset)
    origin = folder.resolve().name if Path(cfg.dataset).expanduser().is_dir() else cfg.dataset
    told = OmegaConf.create({**cfg, "contents": contents(folder)})  # wherever the folder lies
    with open_stage(told, inputs={"dataset": None}) as stage:
        if stage.done:
            return
        jobs = plan(episodes, cfg.demos_per_shard)
        to_do = [job for job in jobs if not _outcome_path(stage.out, job).is_file()]
        limits = {"timeout_s": cfg.timeout_s, "memory_gb": cfg.memory_gb}
        work = partial(convert_shard, dataset=dataset, form=form, out=stage.out, **limits)
        for _ in run_all(work, to_do, num_workers=cfg.num_workers, label="convert"):
            pass
        broken = [row for job in jobs for row in json.loads(_outcome_path(stage.out, job).read_text())]
        _finish(stage, form, broken, planned=len(episodes), origin=origin)


def make_form(cfg: DictConfig, dataset: Dataset) -> Form:
    """What the demonstrations shall look like; ValueError names a camera, rate or names that the dataset has not."""
    if cfg.fit not in FITS:
        raise ValueError(f"no fit={cfg.fit!r}; there are {', '.join(FITS)}")
    check_side(cfg.image_px, of="demonstrations")
    cameras = list(cfg.cameras or dataset.cameras)
    for camera in cameras or ["(any)"]:
        if camera not in dataset.cameras:
            raise ValueError(f"no camera {camera!r} in {dataset.folder}; there are {sorted(dataset.cameras)}")
    robot = cfg.embodiment or dataset.robot
    if not robot:
        raise ValueError(f"{dataset.folder} does not say whose robot it is: give embodiment=NAME")
    every = _every(dataset.fps, cfg.fps)
    names = [_names(cfg, dataset, kind) for kind in ("state", "action")]
    return Form(
        robot, dataset.fps / every, every, cfg.image_px, cfg.fit, {name: dataset.cameras[name] for name in cameras},
        (cfg.state, cfg.action), (names[0], names[1]), cfg.tolerance_s,
    )  # fmt: skip


def _every(own_fps: float, fps: float | None) -> int:
    every = max(1, round(own_fps / fps)) if fps else 1
    if fps and abs(own_fps / every - fps) > 1e-3:
        choices = ", ".join(f"{own_fps / n:.4g}" for n in range(1, 6))
        raise ValueError(f"fps={fps:g} is no whole fraction of the dataset's {own_fps:g} Hz: choose from {choices} …")
    return every


def _names(cfg: DictConfig, dataset: Dataset, kind: str) -> list[str]:
    """The dataset's names, the user's, or made-up ones that do not make an action relative to a state."""
    own, given = names_of(dataset, cfg[kind]), cfg[f"{kind}_names"]
    size = int(dataset.features[cfg[kind]]["shape"][0])
    names = list(given or own or [f"{kind}_{i}" for i in range(size)])
    if len(names) != size or len(set(names)) != size:
        raise ValueError(f"{cfg[kind]} has {size} numbers: {kind}_names must be as many different names, got {names}")
    return names


def _outcome_path(out: Path, job: Job) -> Path:
    return out / "resume" / f"demos-{job.number:06d}.json"


def convert_shard(job: Job, *, dataset: Dataset, form: Form, out: Path, timeout_s: float, memory_gb: float) -> None:
    """Write `demos-<number>.tar`, unless no episode was good, and then which were broken and why.

    Films are read in the decoding process: an episode that crashes it, hangs it for `timeout_s` or fills `memory_gb` is broken.
    """
    samples: list[dict[str, Any]] = []
    broken: list[dict[str, str]] = []
    for episode in job.items:
        try:
            samples += list(shared_decoder(timeout_s).run(_whole, dataset, episode, form, memory_gb=memory_gb))
        except UnusableVideo as fault:
            broken.append({"item": f"episode {episode.number}", "reason": str(fault)})
    shard = out / f"demos-{job.number:06d}.tar"
    if samples:
        write_shard(shard, samples)
    else:  # a run that was killed may have had some
        shard.unlink(missing_ok=True)
    write_json(_outcome_path(out, job), broken)


def _whole(dataset: Dataset, episode: Episode, form: Form) -> Iterator[dict[str, Any]]:
    try:
        yield from demonstrations(dataset, episode, form)
    except BrokenEpisode as fault:
        raise UnusableVideo(str(fault)) from fault


def _finish(stage: Stage, form: Form, broken: list[dict[str, str]], *, planned: int, origin: str) -> None:
    write_jsonl(stage.out / "quarantine.jsonl", broken)
    console = Console()
    print_quarantine(console, broken[:REASONS_SHOWN], of=len(broken))
    if len(broken) == planned:
        raise ValueError(f"none of {planned} episodes can be used: see {stage.out}/quarantine.jsonl")
    facts = totals(ShardIndex(shard_paths(stage.out)))
    stage.finish(record="Demo", **form.facts(), **facts, planned=planned, quarantined=len(broken), dataset=origin)
    counts = "{count} demonstrations, {frames} steps".format_map(facts)
    console.print(f"{stage.out}: {counts}; {len(broken)} of {planned} episodes quarantined", soft_wrap=True)
