"""Rollouts in → how episodes ended: successes and failures by cause, a bar an arm; nothing where rows name no cause."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from lapa.report_settings import Setting

CAUSE = "failure"  # the entry of a row of episodes.jsonl; empty for a success
CAUSES = {  # as sim_finetune/failures.py names them, from the least that was done to the most: in words
    "never_near": "never came near",
    "not_moved": "came near, moved nothing",
    "wrong_object": "moved another object",
    "not_there": "moved it, not to the goal",
    "disturbed": "disturbed something",
    "nearly": "nearly done",
    "not_held": "done, not held",
}
MOST_CAUSES = len(CAUSES)  # as many as the page has colours for; what is left is one
OTHER, UNTOLD = "other", "not told"


class Ending(NamedTuple):
    """How one arm's episodes ended; counts in the order of the part's `causes`."""

    arm: str
    successes: int
    counts: list[int]

    @property
    def episodes(self) -> int:
        """All of them."""
        return self.successes + sum(self.counts)


class Failures(NamedTuple):
    """One setting's bars."""

    title: str
    endings: list[Ending]


class FailureTable(NamedTuple):
    """All settings over the same causes, in words."""

    causes: list[str]
    settings: list[Failures]


def failures(blocks: Sequence[Setting], measure: str) -> FailureTable | None:
    """None when no row of any rollout names a cause."""
    found = {
        (block.title, arm): Counter(str(row.get(CAUSE) or UNTOLD) for row in stage.episodes if not row[measure])
        for block in blocks
        for arm, stage in block.arms.items()
        if any(row.get(CAUSE) for row in stage.episodes)
    }
    order = {cause: number for number, cause in enumerate(CAUSES)}
    named = {cause for counts in found.values() for cause in counts}
    causes = sorted(named, key=lambda cause: (order.get(cause, len(order)), cause))
    causes = causes if len(causes) <= MOST_CAUSES else [*causes[: MOST_CAUSES - 1], OTHER]
    told = [Failures(block.title, _endings(block, found, causes, measure)) for block in blocks]
    words = [CAUSES.get(cause, cause.replace("_", " ")) for cause in causes]
    return FailureTable(words, [part for part in told if part.endings]) if found else None


def _endings(
    block: Setting, found: dict[tuple[str, str], Counter[str]], causes: Sequence[str], measure: str
) -> list[Ending]:
    endings = []
    for arm, stage in block.arms.items():
        if (counts := found.get((block.title, arm))) is not None:
            own = [counts[cause] for cause in causes if cause != OTHER]
            rest = [sum(counts.values()) - sum(own)] if OTHER in causes else []
            endings.append(Ending(arm, sum(bool(row[measure]) for row in stage.episodes), own + rest))
    return endings
