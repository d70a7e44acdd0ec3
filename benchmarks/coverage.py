"""Coverage of two peers' tasks: docs/coverage.yaml in, the table in docs/tasks.md out.

`python benchmarks/coverage.py` makes the table; `python benchmarks/coverage.py seeds=3 [IDEA …]` has the oracle play every
task (or these) before, and keeps what came of it in docs/coverage_played.json.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from lapa.files import atomic_path, write_json
from sim_finetune.completion import completion
from sim_finetune.embodiment import load_embodiment
from sim_finetune.episode import Studio, make_env
from sim_finetune.predicates import every
from sim_finetune.spec import TaskSpec, read_spec

DOCS = Path(__file__).resolve().parent.parent / "docs"
PEERS = ("GenSim", "RoboGen")
BASICS = {"version": 1, "hold_s": 0.3, "clearance_m": 0.02}
PLAYED = DOCS / "coverage_played.json"
BODY, MAX_STEPS, FIRST_SEED = "panda", 400, 4_000_000
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


def play(found: list[Idea], count: int) -> dict[str, str]:
    """Episodes that the oracle completed, as "2 of 3", by the task's hash."""
    studio = Studio(load_embodiment(BODY), 64, 10, ("front",), MAX_STEPS)
    played = {}
    for spec in (idea.spec for idea in found if idea.spec):
        done = completion(make_env(spec, studio), {}, range(FIRST_SEED, FIRST_SEED + count))
        played[spec.hash] = f"{round(done.share * count)} of {count}"
        print(f"{spec.name}: {played[spec.hash]} {done.stages or ''} {done.fault}", flush=True)
    return played


def table(found: list[Idea], played: Mapping[str, str]) -> str:
    """Markdown: a summary, what is said and with which predicates, and what cannot be said."""
    said, unsaid = [idea for idea in found if idea.spec], [idea for idea in found if not idea.spec]
    lines = ["| peer | ideas | said | as it is | with a change | completed at least once | cannot be said |"]
    lines += ["|---|---|---|---|---|---|---|", *(_summary(peer, found, played) for peer in PEERS), ""]
    lines += ["| peer | idea | objects | predicates | stages | completed | what is otherwise |"]
    lines += ["|---|---|---|---|---|---|---|", *(_row(idea, idea.spec, played) for idea in said if idea.spec)]
    lines += ["", "| peer | idea | why it cannot be said | missing primitive |", "|---|---|---|---|"]
    lines += [f"| {idea.peer} | {idea.name} | {idea.cannot} | {idea.missing} |" for idea in unsaid]
    return "\n".join(lines)


def _summary(peer: str, found: list[Idea], played: Mapping[str, str]) -> str:
    own = [idea for idea in found if idea.peer == peer]
    specs = [idea.spec for idea in own if idea.spec]
    changed = sum(bool(idea.changed) for idea in own)
    done = sum(not played.get(spec.hash, "0").startswith("0") for spec in specs)
    cells = [peer, len(own), len(specs), len(specs) - changed, changed, done, len(own) - len(specs)]
    return f"| {' | '.join(map(str, cells))} |"


def _row(idea: Idea, spec: TaskSpec, played: Mapping[str, str]) -> str:
    kinds = Counter(thing.kind for thing in spec.objects)
    objects = ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in kinds.items())
    goals = [*(stage.goal for stage in spec.stages), spec.goal]
    said = ", ".join(dict.fromkeys(part.kind for goal in goals for part in every(goal) if not part.inner()))
    cells = [idea.peer, idea.name, objects, said, len(spec.stages) or "", played.get(spec.hash, ""), idea.changed]
    return f"| {' | '.join(map(str, cells))} |"


def between_marks(page: str, text: str) -> str:
    """The page with `text` between the two marks; ValueError when they are not there."""
    if not 0 <= page.find(BEGIN) < page.find(END):
        raise ValueError(f"docs/tasks.md needs the lines {BEGIN!r} and {END!r}, in this order")
    return f"{page.partition(BEGIN)[0]}{BEGIN}\n{text}\n{END}{page.partition(END)[2]}"


def read_played() -> dict[str, str]:
    """What the last `seeds=` run found; empty before the first."""
    return json.loads(PLAYED.read_text()) if PLAYED.is_file() else {}


def main(words: list[str]) -> None:
    """Play when asked to, then write the table."""
    found = list(ideas())
    names = [word for word in words if not word.startswith("seeds=")]
    if unknown := sorted(set(names) - {idea.name for idea in found}):
        raise ValueError(f"no idea {unknown[0]!r}; there are {[idea.name for idea in found]}")
    for count in (word.removeprefix("seeds=") for word in words if word not in names):
        new = play([idea for idea in found if not names or idea.name in names], int(count))
        known = {idea.spec.hash for idea in found if idea.spec}
        write_json(PLAYED, {spec: text for spec, text in (read_played() | new).items() if spec in known})
    path = DOCS / "tasks.md"
    page = between_marks(path.read_text(), table(found, read_played()))
    with atomic_path(path) as partial:
        partial.write_text(page)


if __name__ == "__main__":
    main(sys.argv[1:])
