"""One item of a source in; its encoded clips, their prints, what was dropped and why, with a picture of it, out."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from video_data.clip import Clip, Fault, to_sample
from video_data.cuts import scenes
from video_data.filters import Filters, judge
from video_data.header import UnusableVideo
from video_data.outcome import Outcome, merge
from video_data.page import PER_SHARD, strip
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
    examples: list[dict[str, Any]]  # a picture of each clip that was dropped


def read_item(item: Any, source: Any, cleaning: Cleaning) -> Part:
    """The clips of one video and what became of the others. A video that fails half-way gives none.

    Every item leaves a clip, or a row of what was dropped or could not be used.
    """
    parts, shown = [Part(Outcome(1, 0, 0, 0, 0, [], [], {}), [], {}, [])], Counter[str]()
    try:
        for found in source.read(item):
            if isinstance(found, Fault):
                parts[0].outcome.quarantined.append(found._asdict())
            else:
                parts.append(_read_clip(found, cleaning, shown))
        if len(parts) == 1 and not parts[0].outcome.quarantined:
            raise UnusableVideo("holds nothing")
    except UnusableVideo as fault:
        quarantined = [*parts[0].outcome.quarantined, {"item": str(item), "reason": str(fault)}]
        return Part(Outcome(1, 0, 0, 0, 0, [], quarantined, {}), [], {}, [])
    return Part(
        merge(part.outcome for part in parts),
        [sample for part in parts for sample in part.samples],
        {key: row for part in parts for key, row in part.prints.items()},
        [example for part in parts for example in part.examples],
    )


def _read_clip(clip: Clip, cleaning: Cleaning, shown: Counter[str]) -> Part:
    """What one clip of an item gives; `shown` counts the dropped ones of each reason that have a picture."""
    filters, text = cleaning.filters, clean_text(clip.text, cleaning.boilerplate)
    found = scenes(clip._replace(text=text), cut_change=filters.cut_change, cut_ratio=filters.cut_ratio)
    kept, rows, examples = [], [], []
    for scene in found:
        verdict = judge(scene, filters)
        if verdict.reason is None:
            kept.append(scene)
            continue
        rows.append({"clip": scene.key, **verdict._asdict()})
        shown[verdict.reason] += 1
        if shown[verdict.reason] <= PER_SHARD:  # more are not kept of a whole shard
            examples.append({"__key__": scene.key, "jpg": strip(scene.frames), "json": rows[-1]})
    outcome = Outcome(
        0, len(kept), sum(len(scene.frames) for scene in kept), len(found) - 1, int(text != clip.text), rows, [],
        dict(Counter(scene.embodiment for scene in kept)),
    )  # fmt: skip
    prints = {scene.key: make_print(scene.frames).hex() for scene in kept}
    return Part(outcome, [to_sample(scene) for scene in kept], prints, examples)
