"""What language models' proposals are worth: how far they get on the ladder, accepted tasks an hour and per 1,000 tokens.

`python benchmarks/bench_proposers.py [count=6] [CASE …]`; a case is overrides of `lapa propose proposer=llm`, commas
between them, e.g. language_model@proposer.model=endpoint,proposer.model.base_url=http://localhost:8000/v1
"""

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hydra.utils import instantiate
from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from lapa.config import compose
from lapa.doors import configs_dir
from sim_finetune.episode import Studio
from sim_finetune.ladder import Verdict, climb, funnel

CASES = [  # SmolLM2-135M held to the schema, and left to itself
    "prompts@proposer.prompts=short",
    "prompts@proposer.prompts=short,proposer.model.constrained=false",
]
SHOWN = ("R1_schema", "R2_names", "R3_compiles", "R8_oracle", "accepted")  # reached
QUICK = [
    "out=unused",
    "proposer=llm",
    "ladder=quick",
    "studio.max_steps=250",
    f"proposer.library={configs_dir() / 'task'}",
]
SMALL = ["proposer.limits.examples=2", "proposer.limits.repairs=1", "proposer.limits.faults=2"]


def measure(case: str, count: int, transcript: Path) -> list[str]:
    """A row of the table: one author's proposals, each judged before the next is asked for."""
    cfg = compose("propose", [*QUICK, *SMALL, f"count={count}", f"proposer.transcript={transcript}", *case.split(",")])
    author, studio = instantiate(cfg.proposer), Studio.of(cfg)
    settings: Any = OmegaConf.to_container(cfg.ladder, resolve=True)
    started, verdicts = time.perf_counter(), list[Verdict]()
    for text in author.proposals():
        verdicts.append(climb(text, settings=settings, studio=studio, first_seed=cfg.seed_base))
        author.learn(verdicts[-1])
    hours = (time.perf_counter() - started) / 3600
    replies = [json.loads(line) for line in transcript.read_text().splitlines()]
    tokens, reached = sum(row["reply_tokens"] for row in replies), funnel(verdicts)
    accepted = reached["accepted"]
    cells = [
        author.talk.model.name,
        case,
        str(len(replies)),
        str(len(verdicts)),
        *(str(reached[rung]) for rung in SHOWN),
    ]
    return [*cells, f"{3600 * hours / len(replies):.0f}", f"{accepted / hours:.1f}", f"{1000 * accepted / tokens:.2f}"]


def main(arguments: list[str]) -> None:
    """Print the table."""
    counts = [int(word.removeprefix("count=")) for word in arguments if word.startswith("count=")]
    cases = [word for word in arguments if not word.startswith("count=")] or CASES
    table = Table("model", "case", "replies", "proposals", *SHOWN, "s a reply", "accepted/h", "accepted/1,000 tokens")
    for number, case in enumerate(cases):
        with TemporaryDirectory() as folder:
            table.add_row(*measure(case, counts[0] if counts else 6, Path(folder) / f"{number}.jsonl"))
    Console(width=200).print(table)


if __name__ == "__main__":
    main(sys.argv[1:])
