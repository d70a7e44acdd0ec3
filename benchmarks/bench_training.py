"""Speed of the quantizer's training and labelling beside LAPA's own, in one run, turn and turn about; medians.

    python benchmarks/bench_training.py                            # our side; LAPA's figures as measured before
    LAPA_REPOSITORY=CHECKOUT python benchmarks/bench_training.py   # both sides; CHECKOUT: a clone of LAPA's repository
    python benchmarks/bench_training.py batches=64 threads=1 sizes="384,2,4;512,1,2"   # our dim, depth of encoder, decoder

64 px, patches of 8, 10 to 11 M parameters each: ours by configs/model/quantizer_10m.yaml, LAPA's with dim 256, 4 heads and
depths 4, 4, 4 (its 8, 8, 8 and dim 1024 made small). Each has its own optimiser and clipping, and fresh pairs are not timed.
"""

import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import hydra
import torch
from rich.console import Console
from rich.table import Table
from torch import nn

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))

from lapas_own import as_video, laq
from sprites import sprites

from lapa.config import compose
from lapa.flops import Flops
from lapa.precision import has_bf16

IMAGE_PX, LABEL_BATCH, PEAK_SIDE = 64, 256, 4096
HAS_BF16 = has_bf16("cpu")  # elsewhere ours computes in fp32, and bf16 is not timed: it is emulated
KNOWN = """LAPA's own quantizer at these settings, measured once on two cores: 11.5 pairs/s (7.9 a CPU second; 14 pairs/s with
bf16 autocast), labels 35 pairs a CPU second. LAPA_REPOSITORY=CHECKOUT measures it in this run."""


class Case(NamedTuple):
    """One thing that is timed: `work` handles `pairs` pairs in `flops` FLOPs. `side` names what is compared with what."""

    name: str
    side: str
    work: Callable[[], Any]
    pairs: int
    flops: int


def case(name: str, side: str, work: Callable[[], Any], pairs: int) -> Case:
    """Warm up, then count."""
    work()
    with Flops() as counted:
        work()
    return Case(name, side, work, pairs, counted.total)


def trainer(model: nn.Module, loss: Callable[[], torch.Tensor], optimizer: Any, clip: float, bf16: bool) -> Callable:
    """One training step."""

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            value = loss()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        optimizer.zero_grad()

    return step


def labeller(label: Callable[[], Any], bf16: bool) -> Callable:
    """One batch of labels."""

    def work() -> None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            label()

    return work


def ours(size: str, batches: list[int]) -> list[Case]:
    """Our quantizer as the door trains it; `size`: dim, depth of the encoder, of the decoder."""
    dim, encoder, decoder = (int(word) for word in size.split(","))
    sizes = {"dim": dim, "num_heads": dim // 64, "depth_encoder": encoder, "depth_decoder": decoder}
    words = ["experiment=quantizer", "model=quantizer_10m", "clips=none", "out=none"]
    cfg = compose("train", words + [f"model.settings.{key}={value}" for key, value in sizes.items()])
    module = hydra.utils.instantiate(cfg.model)
    module.configure_model()
    module.trainer = types.SimpleNamespace(max_steps=1000)  # all that the schedule asks
    model, optimizer = module.model, module.configure_optimizers()["optimizer"]
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    name, cases = f"ours {dim}: {encoder}+{decoder}, {count / 1e6:.1f} M, {'bf16' if HAS_BF16 else 'fp32'}", []
    for batch in batches:
        before, after, _ = sprites(batch, IMAGE_PX, seed=0)

        def loss(before: Any = before, after: Any = after) -> torch.Tensor:
            return model.train().loss(model(before, after, None))

        cases.append(case(name, f"train, batch {batch}", trainer(model, loss, optimizer, 1.0, bf16=HAS_BF16), batch))
    before, after, _ = sprites(LABEL_BATCH, IMAGE_PX, seed=1)
    label = labeller(lambda: model.eval().codes(before, after), bf16=HAS_BF16)
    return [*cases, case(name, "label", label, LABEL_BATCH)]


def theirs(repository: Path, batches: list[int]) -> list[Case]:
    """LAPA's quantizer from a checkout, fp32 as published and, where there is bf16, in its autocast."""
    model = laq(repository, image_px=IMAGE_PX, patch_px=8, dim=256, quant_dim=32, depth=4, dim_head=64, heads=4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, betas=(0.9, 0.99))
    size, cases = sum(p.numel() for p in model.parameters()), []
    for bf16 in sorted({False, HAS_BF16}):
        name = f"LAPA's, {size / 1e6:.1f} M, {'bf16' if bf16 else 'fp32'}"
        for batch in batches:
            video = as_video(batch, IMAGE_PX)

            def loss(video: Any = video) -> torch.Tensor:
                return model.train()(video)[0]

            cases.append(case(name, f"train, batch {batch}", trainer(model, loss, optimizer, 0.5, bf16), batch))
        video = as_video(LABEL_BATCH, IMAGE_PX)

        def label(video: Any = video) -> Any:
            return model.eval().inference(video, return_only_codebook_ids=True)

        cases.append(case(name, "label", labeller(label, bf16), LABEL_BATCH))
    return cases


def peaks() -> list[Case]:
    """What the machine can do: one large product in each precision."""
    cases, dtypes = [], {"fp32": torch.float32} | ({"bf16": torch.bfloat16} if HAS_BF16 else {})
    for name, dtype in dtypes.items():
        wave = torch.arange(PEAK_SIDE**2).reshape(PEAK_SIDE, PEAK_SIDE).sin().to(dtype)
        cases.append(Case(f"matmul {PEAK_SIDE}, {name}", "peak", lambda wave=wave: wave @ wave, 0, 2 * PEAK_SIDE**3))
    return cases


def measure(cases: list[Case], rounds: int) -> dict[Case, list[tuple[float, float]]]:
    """(seconds, CPU seconds) of every case in every round; all cases take their turn within a round."""
    times: dict[Case, list[tuple[float, float]]] = {each: [] for each in cases}
    for _ in range(rounds):
        for each in cases:
            wall, cpu = time.perf_counter(), time.process_time()
            each.work()
            times[each].append((time.perf_counter() - wall, time.process_time() - cpu))
    return times


def report(times: dict[Case, list[tuple[float, float]]], title: str) -> Table:
    """A row a case: medians, spread, share of the fastest peak, and how many times LAPA's fp32 and bf16."""
    table = Table("work", "side", "pairs/s", "spread", "pairs / CPU s", "GFLOP/s", "of peak", "× LAPA fp32, bf16")
    table.title = title
    wall = {each: median(seconds for seconds, _ in rows) for each, rows in times.items()}
    cpu = {each: median(seconds for _, seconds in rows) for each, rows in times.items()}
    peak = max(each.flops / wall[each] for each in times if each.side == "peak")
    for each, rows in sorted(times.items(), key=lambda item: item[0].side):
        spread = (max(rows)[0] - min(rows)[0]) / wall[each]
        others = [other for other in times if other.name.startswith("LAPA") and other.side == each.side]
        ratios = ", ".join(f"{each.pairs / cpu[each] / (other.pairs / cpu[other]):.1f}" for other in others)
        speed = each.flops / wall[each]
        table.add_row(
            each.side, each.name, f"{each.pairs / wall[each]:.1f}", f"{spread:.0%}", f"{each.pairs / cpu[each]:.1f}",
            f"{speed / 1e9:.0f}", f"{speed / peak:.0%}", ratios if each.pairs else "",
        )  # fmt: skip
    return table


def main(batches: str = "8,32,64", rounds: str = "5", threads: str = "0", sizes: str = "512,1,2") -> None:
    """Build, count, time, print."""
    torch.manual_seed(0)
    torch.set_num_threads(int(threads) or torch.get_num_threads())
    counts = [int(word) for word in batches.split(",")]
    repository = os.environ.get("LAPA_REPOSITORY")
    cases = peaks() + (theirs(Path(repository), counts) if repository else [])
    for size in sizes.split(";"):
        cases += ours(size, counts)
    title = f"{torch.get_num_threads()} threads, {rounds} rounds; ratios of pairs a CPU second"
    Console(width=150).print(report(measure(cases, int(rounds)), title))
    if not repository:
        print(KNOWN)


if __name__ == "__main__":
    main(**dict(word.split("=", 1) for word in sys.argv[1:]))
