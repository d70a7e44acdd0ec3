"""A source of videos in; a folder of clip shards out, with what was dropped and what could not be used."""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from lapa.executor import run_all
from lapa.files import write_json
from lapa.shards import write_shard
from lapa.stage import Stage, open_stage, renamed
from video_data.clip import Fault, to_sample
from video_data.filters import Filters, judge
from video_data.header import UnusableVideo
from video_data.outcome import Outcome, merge, print_outcome, write_lists

PLACES = ("videos", "tasks")  # settings that say where inputs lie: folders may move, `source.contents()` counts


class Job(NamedTuple):
    """One shard: always the same videos, so that a build that was killed goes on to the same bytes."""

    number: int
    items: list[Any]


def main(cfg: DictConfig) -> None:
    """`lapa build`: read `cfg.source`, write clips of `cfg.fps` and `cfg.image_px` to `cfg.out`."""
    source = make_source(cfg)
    items = source.items()
    with open_stage(_without_places(cfg, source.contents()), inputs=dict.fromkeys(PLACES)) as stage:
        if stage.done:
            return
        jobs = plan(items, cfg.videos_per_shard)
        to_do = [job for job in jobs if not _outcome_path(stage.out, job).is_file()]
        work = partial(build_shard, source=source, filters=Filters(**cfg.filters), out=stage.out)
        started = time.time()
        fresh = merge(run_all(work, to_do, executor=instantiate(cfg.executor), label="build"))
        rates = _rates(fresh, time.time() - started)
        outcome = merge(_stored(_outcome_path(stage.out, job)) for job in jobs)
        _finish(stage, cfg, outcome, rates)


def make_source(cfg: DictConfig) -> Any:
    """The object that `cfg.source` describes; a ValueError of its own arrives as such, not wrapped in Hydra's."""
    try:
        return instantiate(cfg.source, _convert_="all")
    except InstantiationException as error:
        cause: BaseException | None = error
        while isinstance(cause, InstantiationException):
            cause = cause.__cause__
        raise (cause if isinstance(cause, ValueError) else error) from None


def _without_places(cfg: DictConfig, contents: str) -> DictConfig:
    """The settings as they are compared: inside `source`, a place is replaced by its name; `contents` stands for it."""
    names = {str(cfg[name]): f"<{name}>" for name in PLACES if cfg[name] is not None}
    tree: Any = OmegaConf.to_container(cfg, resolve=True)
    return OmegaConf.create({**tree, "source": renamed(tree["source"], names), "contents": contents})


def plan(items: list[Any], videos_per_shard: int) -> list[Job]:
    """Shard n holds the n-th `videos_per_shard` items, whatever becomes of them."""
    starts = range(0, len(items), videos_per_shard)
    return [Job(number, items[start : start + videos_per_shard]) for number, start in enumerate(starts)]


def _outcome_path(out: Path, job: Job) -> Path:
    return out / "resume" / f"clips-{job.number:06d}.json"


def _stored(path: Path) -> Outcome:
    return Outcome(**json.loads(path.read_text()))


def build_shard(job: Job, *, source: Any, filters: Filters, out: Path) -> Outcome:
    """Write `clips-<number>.tar` and what became of each of its videos. No tar is made of no clip.

    The outcome is written after the shard: where it is, the shard is whole.
    """
    parts = [read_item(item, source, filters) for item in job.items]
    samples = [sample for _, clips in parts for sample in clips]
    if samples:
        write_shard(out / f"clips-{job.number:06d}.tar", samples)
    outcome = merge(outcome for outcome, _ in parts)
    write_json(_outcome_path(out, job), outcome._asdict())
    return outcome


def read_item(item: Any, source: Any, filters: Filters) -> tuple[Outcome, list[dict[str, Any]]]:
    """The encoded clips of one video and what became of the others. A video that fails half-way gives none."""
    samples, dropped, bodies, faults = [], [], [], []
    try:
        for clip in source.read(item):
            if isinstance(clip, Fault):
                faults.append(clip._asdict())
                continue
            verdict = judge(clip, filters)
            if verdict.reason:
                dropped.append({"clip": clip.key, **verdict._asdict()})
            else:
                samples.append(to_sample(clip))
                bodies.append(clip.embodiment)
    except UnusableVideo as fault:
        return Outcome(1, 0, 0, [], [*faults, {"item": str(item), "reason": str(fault)}], {}), []
    frames = sum(sample["json"]["frames"] for sample in samples)
    return Outcome(1, len(samples), frames, dropped, faults, {name: bodies.count(name) for name in bodies}), samples


def _rates(fresh: Outcome, seconds: float) -> dict[str, float]:
    return {"videos/s": fresh.videos / seconds, "clips/s": fresh.clips / seconds, "frames/s": fresh.frames / seconds}


def _finish(stage: Stage, cfg: DictConfig, outcome: Outcome, rates: dict[str, float]) -> None:
    write_lists(stage.out, outcome)
    print_outcome(outcome, rates=rates)
    counts = {"videos": outcome.videos, "frames": outcome.frames, "dropped": outcome.reasons()}
    counts |= {"quarantined": len(outcome.quarantined)}
    stage.log(stage="build", clips=outcome.clips, **counts, **rates)
    if outcome.clips == 0:
        raise ValueError(
            f"none of {outcome.videos} videos gave a clip: see {stage.out}/dropped.jsonl, quarantine.jsonl"
        )
    stage.finish(
        record="Clip",
        count=outcome.clips,
        fps=cfg.fps,
        image_px=cfg.image_px,
        min_clip_s=cfg.filters.min_clip_s,
        embodiments=outcome.embodiments,
        **counts,
    )
