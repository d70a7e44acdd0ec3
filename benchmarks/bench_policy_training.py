"""Speed of latent pretraining: samples/s, tokens/s, share of the matrix peak, and what padding costs; a markdown table.

    python benchmarks/bench_policy_training.py                              # tiny and a Llama of SmolLM2-135M's size
    python benchmarks/bench_policy_training.py cases=tiny rounds=5 threads=1

A row trains on the same texts in random batches and in batches of like length (data.group_by_length=true), turn and turn
about. Padding: the share of the tokens that go through the blocks which are nobody's words. Texts have 3 to 8 words, as
the demo's, or 3 to 60; pictures are noise. MFU: model FLOP/s over those of a 1024³ product in the
same precision (bf16 where the CPU has it, else fp32), threads as given.
"""

import sys
import time
import types
from collections.abc import Iterator
from statistics import median
from typing import Any, NamedTuple

import hydra
import torch

from lapa.config import compose
from lapa.flops import Flops, matmul_peak
from lapa.precision import has_bf16
from lapa.records import LatentStep

FACTS = {"num_codes": 8, "codes_per_step": 4, "cameras": ["front"], "gaps_s": [0.5]}
LLAMA = "width=576 depth=30 num_heads=9 feed_forward=1536 words.buckets=49152"  # SmolLM2-135M's, with as many keys as queries
SIZES = {"tiny": ("", 64), "llama": (LLAMA, 16)}  # overrides of configs/backbone/tiny.yaml; samples a batch
MOST_WORDS = (8, 60)
LEAST_WORDS, BATCHES = 3, 4
DTYPE = torch.bfloat16 if has_bf16("cpu") else torch.float32


class Found(NamedTuple):
    """What one pass over the batches came to."""

    seconds: float
    flops: int
    tokens: int  # real ones
    padding: float  # share of all


def build(overrides: str) -> Any:
    """The latent policy as its training builds it, with an optimiser."""
    words = [f"model.backbone.{word}" for word in overrides.split()]
    torch.manual_seed(0)
    module = hydra.utils.instantiate(
        compose("train", ["experiment=latent_policy", "clips=-", "codes=-", "out=-", *words]).model
    )
    module.setup_from(FACTS)
    module.log = module.log_dict = lambda *_, **__: None
    module._trainer = types.SimpleNamespace(max_steps=1000)
    module.on_train_start()
    return module


def batches(size: int, most_words: int, *, grouped: bool) -> Iterator[LatentStep]:
    """BATCHES batches; `grouped` puts the same texts together by length."""
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(LEAST_WORDS, most_words + 1, (BATCHES * size,), generator=generator)
    counts = counts.sort().values if grouped else counts
    for some in counts.split(size):
        texts = [" ".join(f"word{j}" for j in range(count)) for count in some.tolist()]
        images = torch.randint(0, 256, (size, 3, 64, 64), dtype=torch.uint8, generator=generator)
        codes = torch.randint(0, 8, (size, 4), generator=generator)
        unknown = (torch.full_like(codes, -1), images[:, :, :0, :0], torch.zeros(size, 0))
        yield LatentStep(texts, {"front": images}, texts, codes, torch.full((size,), 0.5), *unknown)


def measure(module: Any, optimiser: Any, rows: list[LatentStep]) -> Found:
    """Train on every batch once."""
    seconds, tokens, places = 0.0, 0, 0
    with Flops() if optimiser is None else torch.enable_grad() as counted:
        for batch in rows:
            started = time.perf_counter()
            with torch.autocast("cpu", DTYPE, enabled=DTYPE is torch.bfloat16):
                loss = module.training_step(batch, 0)
            loss.backward()
            if optimiser is not None:
                torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
                optimiser.step()
                optimiser.zero_grad()
            seconds += time.perf_counter() - started
            real = module.tokens(batch)
            longest = max(len(text.split()) for text in batch.text)
            tokens, places = tokens + real, places + len(batch.text) * (longest + module.beside_words)
    return Found(seconds, counted.total if isinstance(counted, Flops) else 0, tokens, 1 - tokens / places)


def table(names: list[str], rounds: int) -> Iterator[str]:
    """Markdown, a row a case; medians of `rounds`."""
    peak = matmul_peak(torch.device("cpu"), DTYPE)
    yield "| backbone | words | batches | padding | samples/s | tokens/s | GFLOP/s | MFU | × random |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name in names:
        overrides, size = SIZES[name]
        module = build(overrides)
        optimiser = module.configure_optimizers()["optimizer"]
        millions = sum(p.numel() for p in module.parameters()) / 1e6
        for most in MOST_WORDS:
            rows = {grouped: list(batches(size, most, grouped=grouped)) for grouped in (False, True)}
            counted = {grouped: measure(module, None, each) for grouped, each in rows.items()}
            optimiser.zero_grad()
            taken: dict[bool, list[float]] = {grouped: [] for grouped in rows}
            for _ in range(rounds):
                for grouped, each in rows.items():
                    taken[grouped].append(measure(module, optimiser, each).seconds)
            for grouped, found in counted.items():
                seconds = median(taken[grouped])
                speed, rate = found.flops / seconds, BATCHES * size / seconds
                cells = [f"{name}, {millions:.1f} M, {size} a batch", f"3–{most}", "alike" if grouped else "random"]
                cells += [f"{found.padding:.0%}", f"{rate:.1f}", f"{found.tokens / seconds:.0f}", f"{speed / 1e9:.1f}"]
                cells += [f"{speed / peak:.0%}", f"{median(taken[False]) / seconds:.2f}"]
                yield f"| {' | '.join(cells)} |"
    yield f"\n{torch.get_num_threads()} threads; peak {peak / 1e9:.0f} GFLOP/s of {DTYPE}; medians of {rounds} rounds"


def main(cases: str = ",".join(SIZES), rounds: str = "3", threads: str = "0") -> None:
    """Build, count, time, print."""
    torch.set_num_threads(int(threads) or torch.get_num_threads())
    for row in table(cases.split(","), int(rounds)):
        print(row, flush=True)


if __name__ == "__main__":
    main(**dict(word.split("=", 1) for word in sys.argv[1:]))
