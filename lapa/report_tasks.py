"""Stages that measured a set of tasks in → a few rows each, for the page and the terminal: measure, value, meaning."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from lapa.report_gather import TASK_QUALITY as RECORD
from lapa.report_gather import Stage

SHARES = {
    "alignment": "objects seen at the start, in the colour that the task says",
    "completion": "episodes that the oracle completes, mean over tasks",
    "stages": "stages that it gets past",
}
MEASURES = {
    "diversity_text": "−log of the mean cosine of two instructions; 0: all say the same",
    "self_bleu": "BLEU of an instruction against all others; 1: all say the same",
    "diversity_assets": "1 − Jaccard of two tasks' objects, mean over pairs",
    "diversity_predicates": "1 − Jaccard of two tasks' goals, mean over pairs",
}
KINDS = {"objects": "kinds of objects", "predicates": "kinds of predicates"}


class TaskCard(NamedTuple):
    """What one set of tasks is worth."""

    stage: str
    count: int  # type: ignore[assignment]  # hides tuple.count
    rows: list[tuple[str, str, str]]


def task_cards(stages: Sequence[Stage]) -> list[TaskCard]:
    """The card of every stage whose quality.json is of tasks."""
    return [
        TaskCard(stage.name, int(stage.quality["set"]["tasks"]), rows(stage.quality["set"]))
        for stage in stages
        if stage.quality is not None and stage.quality.get("record") == RECORD
    ]


def rows(found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(measure, value, what it is) of a set; "–" for what was not measured (one task, no text model, no stages)."""
    shares = [(name, _said(found[name], "{:.1%}"), meaning) for name, meaning in SHARES.items()]
    measures = [(_words(name), _said(found[name], "{:.2f}"), meaning) for name, meaning in MEASURES.items()]
    kinds = [(words, str(len(found[name])), _most(found[name])) for name, words in KINDS.items()]
    return shares + measures + kinds


def _said(value: float | None, style: str) -> str:
    return "–" if value is None else style.format(value)


def _most(counts: Mapping[str, int]) -> str:
    """block 12, zone 4, …: in how many tasks each kind is, the most frequent first."""
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _words(name: str) -> str:
    return name.replace("_", " ")
