"""Verdicts in, what a language model should know of earlier proposals out: accepted ones, refused ones and why."""

import json
from typing import NamedTuple

from sim_finetune.catalogue import Catalogue, Row
from sim_finetune.rewire import to_wire
from sim_finetune.spec import TaskSpec

MOST_REASON = 400  # characters of a refusal that are told
MOST_NAMES = 60


class Entry(NamedTuple):
    """A proposal: its wire form as JSON, and why it was refused ("" when it was accepted)."""

    wire: str
    fault: str


class Memory:
    """What was proposed so far. Texts of a model in it are only ever shown to a model again."""

    def __init__(self) -> None:
        self.accepted: list[Entry] = []
        self.refused: list[Entry] = []
        self.lessons = ""
        self._seen: set[str] = set()

    def start_from(self, specs: list[TaskSpec], catalogue: Catalogue) -> None:
        """The tasks of a library count as accepted; those that the wire form has no room for stay out."""
        for spec in specs:
            try:
                wire = to_wire(spec, catalogue)
            except ValueError:
                continue
            self.note(wire, "")
            self.admit(wire)

    def admit(self, said: Row | str) -> bool:
        """Whether nothing like it was said before; from now on it was. Two tasks that differ by their name are one."""
        key = said if isinstance(said, str) else json.dumps({**said, "name": ""}, sort_keys=True)
        new = key not in self._seen
        self._seen.add(key)
        return new

    def note(self, said: Row | str, fault: str) -> None:
        """Keep a proposal and what became of it."""
        text = said if isinstance(said, str) else json.dumps(said, separators=(",", ":"))
        (self.refused if fault else self.accepted).append(Entry(text, fault[:MOST_REASON]))

    def examples(self, count: int, start: int) -> str:
        """`count` accepted tasks, a line each, going round from number `start` so that each gets its turn."""
        number = len(self.accepted)
        return "\n".join(self.accepted[(start + i) % number].wire for i in range(min(count, number)))

    def names(self) -> str:
        """What the accepted tasks are called, each name once, the latest MOST_NAMES."""
        names = list(dict.fromkeys(json.loads(entry.wire)["name"] for entry in self.accepted))
        return ", ".join(names[-MOST_NAMES:])

    def faults(self, count: int) -> str:
        """The last refusals, a line each, every reason once."""
        reasons = list(dict.fromkeys(entry.fault for entry in reversed(self.refused)))
        return "\n".join(f"- {reason}" for reason in reasons[:count])
