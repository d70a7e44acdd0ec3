"""Learning curves on disk: `logs/<run>/metrics.csv`, one folder for each time a training was started or resumed."""

import csv
from pathlib import Path

LOGS = "logs"


def next_version(out: Path) -> str:
    """Name of the log folder of the run that now begins."""
    return str(len(list((out / LOGS).glob("*/metrics.csv"))))


def read_metrics(out: Path) -> dict[str, dict[int, float]]:
    """{metric: {step: value}} over all runs; a step that a resumed run took again counts as the later run saw it."""
    curves: dict[str, dict[int, float]] = {}
    for path in sorted((Path(out) / LOGS).glob("*/metrics.csv"), key=lambda p: int(p.parent.name)):
        with open(path) as file:
            for row in csv.DictReader(file):
                if not row.get("step"):
                    continue  # the last row of a killed run may be cut
                step = int(row.pop("step"))
                for name, value in row.items():
                    if value not in ("", None) and name != "epoch":
                        curves.setdefault(name, {})[step] = float(value)
    return {name: dict(sorted(curve.items())) for name, curve in curves.items()}
