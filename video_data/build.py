"""A source of videos in; a folder of clip shards out, with what was dropped and what could not be used."""

import time
from collections import Counter
from collections.abc import Iterator
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
from video_data.filters import Filters
from video_data.outcome import MOST_SHARDS, merge, resume_path, shard_path
from video_data.page import PER_SHARD, write_page
from video_data.read import Cleaning, Part, read_item
from video_data.tally import Tally, Told, print_told, tally, tell, total
from video_data.text import check_patterns
from video_data.thin import drop_twins
from video_data.twins import check_max_bits

PLACES = ("videos", "tasks")  # settings that say where inputs lie: folders may move, `source.contents()` counts


class Job(NamedTuple):
    """One shard: always the same videos, so that a build that was killed goes on to the same bytes."""

    number: int
    items: list[Any]


def main(cfg: DictConfig) -> None:
    """`lapa build`: read `cfg.source`, write clips of `cfg.fps` and `cfg.image_px` to `cfg.out`."""
    source, cleaning = make_source(cfg), make_cleaning(cfg)
    items = source.items()
    check_outside(Path(cfg.out), cfg.videos)
    with open_stage(_without_places(cfg, source.contents()), inputs=dict.fromkeys(PLACES)) as stage:
        if stage.done:
            return
        jobs = plan(items, cfg.videos_per_shard)
        to_do = [job for job in jobs if not resume_path(stage.out, f"clips-{job.number:06d}").is_file()]
        work = partial(build_shard, source=source, cleaning=cleaning, out=stage.out)
        started = time.time()
        fresh = total(run_all(work, to_do, executor=instantiate(cfg.executor), label="build"))
        rates = _rates(fresh, time.time() - started)
        shards = [job.number for job in jobs]
        drop_twins(stage.out, shards, max_bits=cleaning.filters.max_twin_bits, executor=instantiate(cfg.executor))
        _finish(stage, cfg, tell(stage.out, shards), rates)


def check_outside(out: Path, videos: str | None) -> None:
    """ValueError when `out` lies in the folder of videos, whose files tell whether a result is still theirs, or holds it."""
    there = Path(videos or "").expanduser().resolve()
    here = out.expanduser().resolve()
    if videos and there.is_dir() and (here.is_relative_to(there) or there.is_relative_to(here)):
        raise ValueError(f"out={out} and videos={videos} lie in each other; choose another out=")


def make_source(cfg: DictConfig) -> Any:
    """The object that `cfg.source` describes; a ValueError of its own arrives as such, not wrapped in Hydra's."""
    try:
        return instantiate(cfg.source, _convert_="all")
    except InstantiationException as error:
        cause: BaseException | None = error
        while isinstance(cause, InstantiationException):
            cause = cause.__cause__
        raise (cause if isinstance(cause, ValueError) else error) from None


def make_cleaning(cfg: DictConfig) -> Cleaning:
    """How `cfg` says that clips are cleaned; ValueError for a threshold or a pattern that cannot be."""
    check_max_bits(cfg.filters.max_twin_bits)
    check_patterns(cfg.boilerplate)
    return Cleaning(Filters(**cfg.filters), list(cfg.boilerplate))


def _without_places(cfg: DictConfig, contents: str) -> DictConfig:
    """The settings as they are compared: inside `source`, a place is replaced by its name; `contents` stands for it."""
    names = {str(cfg[name]): f"<{name}>" for name in PLACES if cfg[name] is not None}
    tree: Any = OmegaConf.to_container(cfg, resolve=True)
    return OmegaConf.create({**tree, "source": renamed(tree["source"], names), "contents": contents})


def plan(items: list[Any], videos_per_shard: int) -> list[Job]:
    """Shard n holds the n-th `videos_per_shard` items, whatever becomes of them. ValueError for too many shards."""
    starts = range(0, len(items), videos_per_shard)
    if len(starts) > MOST_SHARDS:
        raise ValueError(f"{len(starts)} shards: choose videos_per_shard={-(-len(items) // MOST_SHARDS)} or more")
    return [Job(number, items[start : start + videos_per_shard]) for number, start in enumerate(starts)]


def build_shard(job: Job, *, source: Any, cleaning: Cleaning, out: Path) -> Tally:
    """Write `clips-<number>.tar` and what became of each of its videos. No tar is made of no clip.

    The outcome is written last: where it is, the shard is whole.
    """
    parts = [read_item(item, source, cleaning) for item in job.items]
    samples = [sample for part in parts for sample in part.samples]
    if samples:
        write_shard(shard_path(out, job.number), samples)
    else:  # a run that was killed may have had some
        shard_path(out, job.number).unlink(missing_ok=True)
    write_json(
        resume_path(out, f"prints-{job.number:06d}"), {key: row for part in parts for key, row in part.prints.items()}
    )
    write_shard(resume_path(out, f"examples-{job.number:06d}", "tar"), _few(parts))
    outcome = merge(part.outcome for part in parts)
    write_json(resume_path(out, f"clips-{job.number:06d}"), outcome._asdict())
    return tally(outcome)


def _few(parts: list[Part]) -> Iterator[dict[str, Any]]:
    """The shard's first examples of each reason."""
    seen: Counter[str] = Counter()
    for example in (example for part in parts for example in part.examples):
        seen[example["json"]["reason"]] += 1
        if seen[example["json"]["reason"]] <= PER_SHARD:
            yield example


def _rates(fresh: Tally, seconds: float) -> dict[str, float]:
    return {f"{name}/s": fresh.counts[name] / seconds for name in ("videos", "clips", "frames")}


def _finish(stage: Stage, cfg: DictConfig, told: Told, rates: dict[str, float]) -> None:
    write_page(stage.out, told)
    print_told(told, rates=rates)
    print(f"page: {(stage.out / 'page.html').resolve()}")
    counts, embodiments = told.tally.counts, dict(sorted(told.tally.embodiments.items()))
    names = ("videos", "frames", "quarantined", "cuts", "cleaned_texts")
    facts = {"dropped": dict(sorted(told.tally.dropped.items())), **{name: counts[name] for name in names}}
    stage.log(stage="build", clips=counts["clips"], **facts, **rates)
    if counts["clips"] == 0:
        raise ValueError(
            f"none of {counts['videos']} videos gave a clip: see {stage.out}/dropped.jsonl, quarantine.jsonl"
        )
    stage.finish(
        record="Clip",
        count=counts["clips"],
        fps=cfg.fps,
        image_px=cfg.image_px,
        min_clip_s=cfg.filters.min_clip_s,
        embodiments=embodiments,
        **facts,
    )
