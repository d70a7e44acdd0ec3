"""Tasks in; signatures out that ignore names, order and wording, and how alike two tasks are in [0, 1]."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from lapa.files import value_hash
from sim_finetune.goals import renamed
from sim_finetune.spec import TaskSpec
from sim_finetune.wording import embedder

# Fields that make no other task: how it is called, said, and where it comes from.
NOT_TASK = ("version", "name", "family", "instructions", "provenance", "missing_primitives", "oracle")


class Signature(NamedTuple):
    """task: hash of its spec; canonical: equal for tasks that differ only in names, order and wording."""

    task: str
    canonical: str
    assets: frozenset[str]  # kinds of objects, numbered: block 1, block 2
    predicates: frozenset[str]  # with the kinds they speak of: on_top(block, stand)
    text: str


def signature(spec: TaskSpec) -> Signature:
    """What makes the task itself."""
    kinds = {thing.name: thing.kind for thing in spec.objects}
    counts = Counter(kinds.values())
    assets = frozenset(f"{kind} {i + 1}" for kind, count in counts.items() for i in range(count))
    goals = [spec.goal, *(stage.goal for stage in spec.stages)]
    said = frozenset(text for goal in goals for text in _predicates(goal.model_dump(mode="json"), kinds))
    return Signature(spec.hash, canonical_hash(spec), assets, said, spec.instruction(0))


def canonical_hash(spec: TaskSpec) -> str:
    """sha256 of the task without names: objects are called by what they are, lists of objects and parts are sorted."""
    task = {key: value for key, value in spec.model_dump(mode="json").items() if key not in NOT_TASK}
    unnamed = dict.fromkeys((thing.name for thing in spec.objects), "")
    labels = {thing["name"]: value_hash(renamed({**thing, "name": ""}, unnamed)) for thing in task["objects"]}
    return value_hash(_sorted({"task": renamed(task, labels)}))


def _sorted(node: Any) -> Any:
    """Lists whose order says nothing, in one order."""
    if isinstance(node, dict):
        return {
            key: sorted(map(_sorted, value), key=_text) if key in ("objects", "parts", "pairs") else _sorted(value)
            for key, value in node.items()
        }
    return [_sorted(value) for value in node] if isinstance(node, list) else node


def _text(node: Any) -> str:
    return json.dumps(node, sort_keys=True)


def _predicates(goal: dict[str, Any], kinds: dict[str, str]) -> Iterator[str]:
    """Each simple predicate with the kinds of objects it names."""
    parts = [*goal.get("parts", []), *([goal["part"]] if "part" in goal else [])]
    for part in parts:
        yield from _predicates(part, kinds)
    if not parts:
        yield f"{goal['kind']}({', '.join(kinds[name] for name in _strings(goal) if name in kinds)})"


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, (list, dict)):
        for value in node.values() if isinstance(node, dict) else node:
            yield from _strings(value)


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Size of the intersection over that of the union; 1 for two empty sets."""
    return len(one & other) / len(one | other) if one | other else 1.0


def repeats(task: Signature, known: Sequence[Signature], *, structure: float, cosine: float) -> str:
    """Why the task is not new, or "". Two tasks are one when their canonical hashes are equal, or when they are made
    alike (mean Jaccard index above `structure`) and are said alike (cosine of their words at least `cosine`).

    Without a text model, what is made alike is refused whatever it is called.
    """
    for other in known:
        if task.canonical == other.canonical:
            return f"the same as {other.task} but for names, order and words"
        alike = (jaccard(task.assets, other.assets) + jaccard(task.predicates, other.predicates)) / 2
        if alike > structure:
            similar = text_cosine(task.text, other.text)
            if similar is None or similar >= cosine:
                return f"too like {other.task}: structure {alike:.2f}, words {_said(similar)}"
    return ""


def _said(cosine: float | None) -> str:
    return "not compared (no text model)" if cosine is None else f"{cosine:.2f}"


def text_cosine(one: str, other: str) -> float | None:
    """Cosine of two sentences' embeddings in [-1, 1]; None without a text model."""
    embed = embedder()
    return None if embed is None else float(embed(one) @ embed(other))
