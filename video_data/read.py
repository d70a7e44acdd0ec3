"""One item of a source in; its encoded clips, their prints, what was dropped and why, with a picture of it, out."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from video_data.clip import Clip, Fault, to_sample
from video_data.cuts import scenes
from video_data.filters import Filters, judge
from video_data.header import UnusableVideo
from video_data.outcome import Outcome, merge
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
    examples: list[dict[str, Any]]  # a picture of each clip that was dropped


def read_item(item: Any, source: Any, cleaning: Cleaning) -> Part:
    """The clips of one video and what became of the others. A video that fails half-way gives none."""
    part = Part(Outcome(1, 0, 0, 0, 0, [], [], {}), [], {}, [])
    try:
        for found in source.read(item):
            if isinstance(found, Fault):
                part.outcome.quarantined.append(found._asdict())
            else:
                part = _add(part, found, cleaning)
    except UnusableVideo as fault:
        quarantined = [*part.outcome.quarantined, {"item": str(item), "reason": str(fault)}]
        return Part(Outcome(1, 0, 0, 0, 0, [], quarantined, {}), [], {}, [])
    return part


def _add(part: Part, clip: Clip, cleaning: Cleaning) -> Part:
    """`part` with what a further clip of its item gives."""
    filters, text = cleaning.filters, clean_text(clip.text, cleaning.boilerplate)
    found = scenes(clip._replace(text=text), cut_change=filters.cut_change, cut_ratio=filters.cut_ratio)
    verdicts = [judge(scene, filters) for scene in found]
    kept = [scene for scene, verdict in zip(found, verdicts, strict=True) if verdict.reason is None]
    rows = [
        {"clip": scene.key, **verdict._asdict()}
        for scene, verdict in zip(found, verdicts, strict=True)
        if verdict.reason
    ]
    pictures = {scene.key: scene.frames for scene in found}
    part.samples.extend(map(to_sample, kept))
    part.prints.update({scene.key: make_print(scene.frames).hex() for scene in kept})
    part.examples.extend({"__key__": row["clip"], "jpg": strip(pictures[row["clip"]]), "json": row} for row in rows)
    more = Outcome(
        0, len(kept), sum(len(scene.frames) for scene in kept), len(found) - 1, int(text != clip.text), rows, [],
        dict(Counter(scene.embodiment for scene in kept)),
    )  # fmt: skip
    return part._replace(outcome=merge([part.outcome, more]))
