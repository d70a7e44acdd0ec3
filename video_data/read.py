"""One item of a source in; its encoded clips, their prints, what was dropped and why, with a picture of it, out."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from video_data.clip import Clip, Fault, to_sample
from video_data.cuts import scenes
from video_data.filters import Filters, judge
from video_data.header import UnusableVideo
from video_data.outcome import Outcome
from video_data.page import strip
from video_data.text import clean_text
from video_data.twins import make_print


class Cleaning(NamedTuple):
    """How clips are cleaned."""

    filters: Filters
    boilerplate: Sequence[str]  # patterns that are taken out of words


class Part(NamedTuple):
    """What one item gives to its shard."""

    outcome: Outcome
    samples: list[dict[str, Any]]
    prints: dict[str, str]  # of the samples, by key, hexadecimal
    examples: list[dict[str, Any]]  # samples of the first clip that was dropped for each reason


def read_item(item: Any, source: Any, cleaning: Cleaning) -> Part:
    """The clips of one video and what became of the others. A video that fails half-way gives none."""
    samples, prints, dropped, examples, bodies, faults = [], {}, [], [], [], []
    cuts = cleaned = 0
    try:
        for found in source.read(item):
            if isinstance(found, Fault):
                faults.append(found._asdict())
                continue
            parts = list(_cleaned(found, cleaning))
            cuts, cleaned = cuts + len(parts) - 1, cleaned + (parts[0].text != found.text)
            for clip in parts:
                verdict = judge(clip, cleaning.filters)
                if verdict.reason is None:
                    samples.append(to_sample(clip))
                    prints[clip.key] = make_print(clip.frames).hex()
                    bodies.append(clip.embodiment)
                else:
                    row = {"clip": clip.key, **verdict._asdict()}
                    dropped.append(row)
                    if verdict.reason not in {example["json"]["reason"] for example in examples}:
                        examples.append({"__key__": clip.key, "jpg": strip(clip.frames), "json": row})
    except UnusableVideo as fault:
        return Part(Outcome(1, 0, 0, 0, 0, [], [{"item": str(item), "reason": str(fault)}], {}), [], {}, [])
    frames = sum(sample["json"]["frames"] for sample in samples)
    outcome = Outcome(1, len(samples), frames, cuts, cleaned, dropped, faults, dict(Counter(bodies)))
    return Part(outcome, samples, prints, examples)


def _cleaned(clip: Clip, cleaning: Cleaning) -> Iterator[Clip]:
    filters = cleaning.filters
    text = clean_text(clip.text, cleaning.boilerplate)
    for part in scenes(clip, cut_change=filters.cut_change, cut_ratio=filters.cut_ratio):
        yield part._replace(text=text)
