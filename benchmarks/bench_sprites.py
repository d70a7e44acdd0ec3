"""Steps in, a table out: direction of moving sprites decoded from codes, beside code use, for each bottleneck and objective.

    python benchmarks/bench_sprites.py steps=600 cases="vq;fsq"

The yardstick of tests/sprites.py (24 px, 8 directions: chance is 12.5 %) with the small quantizer of the tests. LAPA's own
quantizer, 3000 steps of 32 pairs: 83 % at learning rate 1e-3 (perplexity 7.6), 10 % at its published 1e-4 (perplexity 5.2).
"""

import sys
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from small_quantizer import build
from sprites import direction_accuracy, sprites

from quantizer.model import Quantizer, perplexity

BLIND = "motion.noise=100"  # so tolerant that no motion is found: the encoder sees pixels alone
CASES = {
    "vq": ("vq", []),
    "rvq": ("rvq", []),
    "fsq": ("fsq", []),
    "vq, no drift": ("vq", ["drift.weight=0"]),
    "vq, drift alone": ("vq", ["targets.flow.weight=0", "targets.residual.weight=0"]),
    "vq, residual alone": ("vq", ["drift.weight=0", "targets.flow.weight=0", "targets.residual.weight=1"]),
    "vq, residual alone, pixels in": ("vq", ["drift.weight=0", "~targets.flow", "targets.residual.weight=1", BLIND]),
    "fsq, residual alone, pixels in": ("fsq", ["drift.weight=0", "~targets.flow", "targets.residual.weight=1", BLIND]),
}


def train(model: Quantizer, steps: int) -> float:
    """AdamW on fresh sprites, 32 a step; returns the pairs trained on per CPU second."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps, pct_start=0.1)
    started = time.process_time()
    for step in range(steps):
        before, after, _ = sprites(32, 24, seed=step)
        optimizer.zero_grad()
        model.loss(model(before, after, None)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return 32 * steps / (time.process_time() - started)


def main(steps: int, cases: list[str]) -> None:
    """Train each case and print a row for it."""
    table = Table(
        "case", "direction", "perplexity", "codes used", "pairs / CPU s", title=f"sprites, {steps} steps × 32"
    )
    before, after, direction = sprites(2000, 24, seed=10**6)
    for name in cases:
        bottleneck, overrides = CASES[name]
        model = build(*overrides, bottleneck=bottleneck)
        rate = train(model, steps)
        with torch.no_grad():
            codes = model.eval().codes(before, after)
        accuracy, spread = direction_accuracy(codes, direction, model.num_codes), perplexity(codes, model.num_codes)
        table.add_row(name, f"{accuracy:.1%}", f"{spread:.2f}", str(len(codes.unique())), f"{rate:.0f}")
        Console().print(table)


if __name__ == "__main__":
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    main(int(given.get("steps", 600)), given["cases"].split(";") if "cases" in given else list(CASES))
