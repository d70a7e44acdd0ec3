"""A transcript (JSONL, one reply a line) in, the same replies in the same order out: for tests and for telling again."""

import json
from pathlib import Path
from typing import Any

from sim_finetune.language_models import Message, Reply


class Recorded:
    """Replies of `path`: lines with a field `text`, and those of Reply when a proposer's transcript wrote them."""

    def __init__(self, *, path: str):
        self.path, self._told = Path(path), 0
        self.name = f"recorded:{self.path.name}"

    def reply(self, dialogue: list[Message], *, schema: dict[str, Any] | None, seed: int) -> Reply:
        """The next line; ValueError when there is none, or when it is no reply."""
        lines = self.path.read_text().splitlines() if self.path.is_file() else []
        if self._told >= len(lines):
            raise ValueError(f"{self.path} holds {len(lines)} replies; number {self._told + 1} was asked for")
        row = json.loads(lines[self._told])
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            raise ValueError(f"{self.path}: line {self._told + 1} has no field `text`")
        self._told += 1
        return Reply(row["text"], *(row.get(field, 0) for field in Reply._fields[1:]))
