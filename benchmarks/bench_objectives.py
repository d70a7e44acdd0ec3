"""Clips in, a table out: what the codes of each objective tell of true motion, trained and labelled by the house's own doors.

    python benchmarks/bench_objectives.py clips=FOLDER probe=FOLDER_WITH_TRUE_MOTION out=FOLDER steps=400 cases="vq;ema"

Folders are `lapa build`'s. The probe's clips are labelled and scored on held-out episodes; nothing done before is done again.
"""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lapa.cli import enter

S, T = "model.settings.", "model.settings.targets."
NOTHING = [f"{T}{name}.weight=0" for name in ("coarse", "flow")]
DRAWN = [f"{T}residual.weight=0.01"]  # so little that it only teaches the decoder to draw
BOTTLENECK = "bottleneck@model.settings.bottleneck="
CASES = {
    "default": [],
    **{name: [BOTTLENECK + name] for name in ("vq", "rvq", "nsvq", "simvq", "fsq", "lfq")},
    "no coarse": [f"{T}coarse.weight=0"],
    "no flow": [f"{T}flow.weight=0"],
    "no drift": [f"{S}drift.weight=1e-6"],
    "pixels": [*NOTHING, f"{S}drift.weight=1e-6", f"{T}residual.weight=0", f"{T}pixels.weight=1"],
    "residual": [*NOTHING, f"{S}drift.weight=1e-6", f"{T}residual.weight=1"],
    "drift": [*NOTHING, *DRAWN],
    "flow": [NOTHING[0], f"{S}drift.weight=1e-6", *DRAWN],
    "features": [*NOTHING, f"{S}drift.weight=1e-6", f"{T}features.weight=1", *DRAWN],
    "ema": [*NOTHING, f"{S}drift.weight=1e-6", f"{T}ema.weight=1", *DRAWN],
    "default + features": [f"{T}features.weight=0.5"],
    "default + ema": [f"{T}ema.weight=0.5"],
    "default + 2 % labels": [f"{T}labels.weight=1", "data.label_percent=2"],
    "default + 10 % labels": [f"{T}labels.weight=1", "data.label_percent=10"],
    "default + reversal": [f"{S}reversal=0.1"],
    "default + jitter": [f"{S}jitter.shift=0.05", f"{S}jitter.brightness=0.1", f"{S}jitter.contrast=0.1"],
    "default + steady": [f"{S}steady.most=0.15"],
}  # fmt: skip
COLUMNS = ("codes_linear", "codes_mlp", "codes_and_state", "latents_linear", "state_only", "first_frame", "shuffled")


def measure(case: str, clips: Path, probe: Path, out: Path, steps: int, more: list[str]) -> dict:
    """Train, label the probe's clips, read its quality."""
    folder = out / case.replace(" ", "_").replace("%", "percent")
    trained = [f"out={folder}/quantizer", f"clips={clips}", f"trainer.max_steps={steps}", *CASES[case], *more]
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
