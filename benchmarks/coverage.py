"""Coverage of two peers' tasks: docs/coverage.yaml in, the table in docs/tasks.md out (`python benchmarks/coverage.py`)."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lapa.files import atomic_path
from sim_finetune.plan import plan
from sim_finetune.predicates import every
from sim_finetune.spec import TaskSpec, read_spec

DOCS = Path(__file__).resolve().parent.parent / "docs"
PEERS = ("GenSim", "RoboGen")
BASICS = {"version": 1, "hold_s": 0.3, "clearance_m": 0.02}
BEGIN, END = "<!-- coverage: made by benchmarks/coverage.py -->", "<!-- end of coverage -->"


class Idea(NamedTuple):
    """A peer's task. spec: None when it cannot be said; changed: what is otherwise; missing: primitive, or ""."""

    peer: str
    name: str
    spec: TaskSpec | None
    changed: str
    cannot: str
    missing: str


def ideas() -> Iterator[Idea]:
    """Every idea of the file; ValueError names the one that is no task."""
    document = yaml.safe_load((DOCS / "coverage.yaml").read_text())
    for peer in PEERS:
        for entry in document[peer]:
            try:
                spec = None if "cannot" in entry else task(peer, entry)
            except ValueError as error:
                raise ValueError(f"{peer}, {entry['idea']}: {error}") from error
            words = [entry.get(key, "") for key in ("changed", "cannot", "missing")]
            yield Idea(peer, entry["idea"], spec, *words)


def task(peer: str, entry: Mapping[str, Any]) -> TaskSpec:
    """The task that an entry writes in short."""
    name = entry["idea"].replace("-", "_").replace(" ", "_").lower()
    own = {key: entry[key] for key in entry if key not in ("idea", "says", "changed")}
    return read_spec(BASICS | {"name": name, "family": peer.lower(), "instructions": [entry["says"]]} | own)


def table(found: list[Idea]) -> str:
    """Markdown: a summary, what is said and with which predicates, and what cannot be said."""
    said, unsaid = [idea for idea in found if idea.spec], [idea for idea in found if not idea.spec]
    lines = ["| peer | ideas | said | of these as they are | with a change | planned by the oracle | cannot be said |"]
    lines += ["|---|---|---|---|---|---|---|", *(_summary(peer, found) for peer in PEERS), ""]
    lines += ["| peer | idea | objects | predicates | stages | what is otherwise |", "|---|---|---|---|---|---|"]
    lines += [_row(idea, idea.spec) for idea in said if idea.spec]
    lines += ["", "| peer | idea | why it cannot be said | missing primitive |", "|---|---|---|---|"]
    lines += [f"| {idea.peer} | {idea.name} | {idea.cannot} | {idea.missing} |" for idea in unsaid]
    return "\n".join(lines)


def _summary(peer: str, found: list[Idea]) -> str:
    own = [idea for idea in found if idea.peer == peer]
    said = [idea for idea in own if idea.spec]
    changed = sum(bool(idea.changed) for idea in said)
    planned = sum(has_plan(idea.spec) for idea in said if idea.spec)
    cells = [peer, len(own), len(said), len(said) - changed, changed, planned, len(own) - len(said)]
    return f"| {' | '.join(map(str, cells))} |"


def _row(idea: Idea, spec: TaskSpec) -> str:
    kinds = Counter(thing.kind for thing in spec.objects)
    objects = ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in kinds.items())
    goals = [*(stage.goal for stage in spec.stages), spec.goal]
    said = ", ".join(dict.fromkeys(part.kind for goal in goals for part in every(goal) if not part.inner()))
    return f"| {idea.peer} | {idea.name} | {objects} | {said} | {len(spec.stages) or ''} | {idea.changed} |"


def has_plan(spec: TaskSpec) -> bool:
    """Whether the oracle derives steps for it; whether they lead there is for `lapa tasks validate` to say."""
    try:
        return bool(plan(spec))
    except ValueError:
        return False


def between_marks(page: str, text: str) -> str:
    """The page with `text` between the two marks; ValueError when they are not there."""
    if not 0 <= page.find(BEGIN) < page.find(END):
        raise ValueError(f"docs/tasks.md needs the lines {BEGIN!r} and {END!r}, in this order")
    return f"{page.partition(BEGIN)[0]}{BEGIN}\n{text}\n{END}{page.partition(END)[2]}"


if __name__ == "__main__":
    path = DOCS / "tasks.md"
    page = between_marks(path.read_text(), table(list(ideas())))
    with atomic_path(path) as partial:
        partial.write_text(page)
    print(f"{path}: {sum(bool(idea.spec) for idea in ideas())} ideas said")
