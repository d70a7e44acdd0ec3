"""Clips in, a table out: what the codes of each objective tell of true motion, trained and labelled by the house's own doors.

    python benchmarks/bench_objectives.py clips=FOLDER probe=FOLDER_WITH_TRUE_MOTION out=FOLDER steps=400 cases="vq;ema"

Folders are `lapa build`'s. The probe's clips are labelled and scored on held-out episodes; nothing done before is done again.
"""

import json
import sys
from pathlib import Path

from cases import CASES, LABELLED, overrides
from rich.console import Console
from rich.table import Table

from lapa.cli import enter

COLUMNS = ("codes_linear", "codes_mlp", "codes_and_state", "latents_linear", "state_only", "first_frame", "shuffled")


def measure(case: str, clips: Path, probe: Path, out: Path, steps: int, more: list[str]) -> dict:
    """Train, label the probe's clips, read its quality."""
    folder = out / case.replace(" ", "_").replace("%", "percent")
    trained = [
        f"out={folder}/quantizer",
        f"clips={clips}",
        f"trainer.max_steps={steps}",
        *overrides((CASES | LABELLED)[case]),
        *more,
    ]
    enter("train", ["experiment=quantizer", *trained])
    enter("label", [f"quantizer={folder}/quantizer", f"clips={probe}", f"out={folder}/codes"])
    return json.loads((folder / "codes" / "quality.json").read_text())


def main(clips: Path, probe: Path, out: Path, steps: int, cases: list[str], more: list[str]) -> None:
    """A row a case, printed anew after each."""
    table = Table("case", "perplexity", "steps", *COLUMNS, title=f"R² of motion in {probe}, {steps} steps on {clips}")
    for case in cases:
        found = measure(case, clips, probe, out, steps, more)
        scores = [f"{found['probe'][name]:.2f}" for name in COLUMNS]
        table.add_row(case, f"{found['perplexity']:.1f}", str(found["distinct_steps"]), *scores)
        Console(width=150).print(table)


if __name__ == "__main__":
    own = ("clips", "probe", "out", "steps", "cases")
    given = dict(word.split("=", 1) for word in sys.argv[1:] if word.split("=", 1)[0] in own)
    places = [Path(given[name]) for name in ("clips", "probe", "out")]
    rest = [word for word in sys.argv[1:] if word.split("=", 1)[0] not in own]
    main(*places, int(given.get("steps", 400)), given["cases"].split(";") if "cases" in given else list(CASES), rest)
