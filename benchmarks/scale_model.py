"""A language model's size, a batch and a cluster in; memory a GPU and time a step out, for DDP and FSDP2. docs/scale.md.

    python benchmarks/scale_model.py width=960 depth=32 feed_forward=2560 num_heads=15 batch=64       # a table to plan with
    python benchmarks/scale_model.py check=true          # predicted beside measured on this CPU, 1 and 2 gloo processes

Counted is what repeats: blocks and word table. A vision tower is counted as blocks of its own in a second call.
"""

import json
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.nn.parallel import DistributedDataParallel
from transformers import LlamaConfig, LlamaModel

from lapa.scale import divide, recompute

FP32, BF16 = 4, 2  # bytes
GB, STEPS = 1e9, 3
SMALL = {"width": 512, "depth": 8, "feed_forward": 1376, "num_heads": 8, "words": 4096, "tokens": 64, "batch": 16}

H100 = {"peak_tflops": 990.0, "mfu": 0.4, "inside_gb_s": 450.0, "between_gb_s": 50.0}  # NVLink 4; 400 Gbit/s a GPU


class Shape(NamedTuple):
    """A Llama, and what one rank reads a step: `batch` sequences of `tokens`."""

    width: int
    depth: int
    feed_forward: int
    num_heads: int
    words: int
    tokens: int
    batch: int


class Cluster(NamedTuple):
    """ranks: in all. flops: a rank's bf16 matrix peak [FLOP/s] times the share of it that is reached. bytes_s: what a
    rank sends and receives [B/s]: that of its slowest link.
    """

    ranks: int
    flops: float
    bytes_s: float


class Way(NamedTuple):
    """divided: FSDP2, else DDP. thrifty: activation checkpointing."""

    divided: bool
    thrifty: bool


def parameters(shape: Shape) -> tuple[int, int]:
    """Of one block, and of all: four square matrices of attention and three of the feed-forward; the word table."""
    block = 4 * shape.width**2 + 3 * shape.width * shape.feed_forward
    return block, shape.depth * block + shape.words * shape.width


def activations(shape: Shape) -> int:
    """Bytes one block keeps for the backward pass, bf16 autocast: what transformers' Llama with eager attention saves.

    A token: 34 d: both norms' inputs and outputs (16), the products' inputs in bf16 (q, k, v 6; q·k 4; v 2; o 2; gate,
    up 4); 8 f: gate, its SiLU, up, their product; 6 a head and token seen: the softmax in fp32, and in bf16.
    """
    a_token = 34 * shape.width + 8 * shape.feed_forward + 6 * shape.num_heads * shape.tokens
    return shape.batch * shape.tokens * a_token


def memory(shape: Shape, way: Way, ranks: int) -> dict[str, float]:
    """Bytes a rank. Weights, gradients and AdamW's two means in fp32; autocast's bf16 copies live as long as a step."""
    block, whole = parameters(shape)
    share = ranks if way.divided else 1
    parts = {"weights": FP32 * whole / share, "gradients": FP32 * whole / share, "optimiser": 2 * FP32 * whole / share}
    copies = BF16 * shape.depth * block
    if way.divided:  # two blocks are whole at a time, one computing and one arriving, and a block's gradient leaves
        parts["whole blocks"] = 3 * FP32 * block
    elif ranks > 1:
        parts["buckets"] = FP32 * whole
    parts["bf16 copies"] = BF16 * block if way.thrifty else copies
    kept = shape.batch * shape.tokens * FP32 * shape.width  # a block's input
    parts["activations"] = shape.depth * kept + activations(shape) if way.thrifty else shape.depth * activations(shape)
    return parts


def step_s(shape: Shape, way: Way, cluster: Cluster) -> tuple[float, float]:
    """Seconds of computing and of sending. Three passes' worth of products, four when blocks are computed again; a ring
    sends (r − 1)/r of what it sums twice (DDP's gradients), of what it gathers once (FSDP2: weights for both passes,
    gradients once).
    """
    block, whole = parameters(shape)
    product = 2 * shape.depth * (block + 2 * shape.tokens * shape.width) * shape.batch * shape.tokens
    sent = FP32 * whole * (3 if way.divided else 2) * (cluster.ranks - 1) / cluster.ranks
    return (4 if way.thrifty else 3) * product / cluster.flops, sent / cluster.bytes_s


def plan(shape: Shape, *, peak_tflops: float, mfu: float, inside_gb_s: float, between_gb_s: float) -> Table:
    """1, 8 and 64 GPUs, 8 a machine. Sending hides behind computing when it is shorter: a step takes the longer of both."""
    table = Table("GPUs", "trainer", "memory GB", "of it activations", "compute s", "send s", "samples/s")
    for ranks in (1, 8, 64):
        link = inside_gb_s if ranks <= 8 else between_gb_s
        cluster = Cluster(ranks, peak_tflops * 1e12 * mfu, link * GB)
        for way in (Way(divided, thrifty) for divided in (False, True) for thrifty in (False, True)):
            if way.divided and ranks == 1:
                continue
            parts, (compute, send) = memory(shape, way, ranks), step_s(shape, way, cluster)
            rate = ranks * shape.batch / max(compute, send)
            cells = (sum(parts.values()) / GB, parts["activations"] / GB, compute, send, rate)
            table.add_row(str(ranks), name_of(way), *(f"{cell:.3g}" for cell in cells))
    return table


def name_of(way: Way) -> str:
    """As the trainer's yaml calls it."""
    return ("fsdp" if way.divided else "ddp") + (" + checkpoint_activations" if way.thrifty else "")


def work(shape: Shape, way: Way) -> dict[str, float]:
    """In a fresh process: train some steps; the median step [CPU s] and how far the process grew [B]."""
    ranks = int(os.environ["WORLD_SIZE"])
    torch.set_num_threads(1)
    if ranks > 1:
        dist.init_process_group("gloo")
    bytes_s = bandwidth(ranks)
    train(shape._replace(width=64, depth=1, feed_forward=64, num_heads=1), Way(False, False), 1)  # libraries load
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()  # now, not at its largest
    taken = train(shape, way, ranks)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    return {"step_s": sorted(taken[1:])[len(taken[1:]) // 2], "bytes": grown, "bytes_s": bytes_s}


def train(shape: Shape, way: Way, ranks: int) -> list[float]:
    """CPU seconds of each of STEPS steps."""
    model = build(shape, way, ranks)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
    words = torch.randint(0, shape.words, (shape.batch, shape.tokens))
    taken = []
    for _ in range(STEPS):
        started = time.process_time()
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=words).last_hidden_state.square().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        taken.append(time.process_time() - started)
    return taken


def bandwidth(ranks: int) -> float:
    """Bytes a rank sends a CPU second in a ring's sum of 64 MB; 0 alone."""
    if ranks == 1:
        return 0.0
    taken, block = [], torch.ones(2**24)
    for _ in range(3):
        started = time.process_time()
        dist.all_reduce(block)
        taken.append(time.process_time() - started)
    return 2 * block.nbytes * (ranks - 1) / ranks / min(taken)


def build(shape: Shape, way: Way, ranks: int) -> nn.Module:
    """The Llama as the trainer would have it."""
    sizes: dict[str, Any] = {"attn_implementation": "eager", "use_cache": False}
    torch.manual_seed(0)
    model: Any = LlamaModel(
        LlamaConfig(
            vocab_size=shape.words, hidden_size=shape.width, intermediate_size=shape.feed_forward,
            num_hidden_layers=shape.depth, num_attention_heads=shape.num_heads, num_key_value_heads=shape.num_heads,
            **sizes,
        )
    )  # fmt: skip
    if way.divided:
        divide(model, model.layers, init_device_mesh("cpu", (ranks,)))
    for layer in model.layers if way.thrifty else ():
        recompute(layer)
    return DistributedDataParallel(model) if ranks > 1 and not way.divided else model


def measured(shape: Shape, way: Way, ranks: int) -> dict[str, float]:
    """`work` in `ranks` fresh processes, one thread each; what rank 0 found."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    words = [f"{key}={value}" for key, value in shape._asdict().items()]
    command = [sys.executable, __file__, "work=true", f"divided={way.divided}", f"thrifty={way.thrifty}", *words]
    shared = os.environ | {"WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    shared["OMP_NUM_THREADS"] = "1"
    started = [
        subprocess.Popen(command, env=shared | {"RANK": str(rank)}, stdout=subprocess.PIPE, text=True)
        for rank in range(ranks)
    ]
    outs = [process.communicate()[0] for process in started]
    return json.loads(outs[0].splitlines()[-1])


def check(shape: Shape) -> Table:
    """Measured over predicted. The FLOP/s that are reached are those of the first row. Seconds are those of a
    process's cores: beside other work the clock on the wall says nothing.
    """
    table = Table(
        "processes", "trainer", "MB measured", "predicted", "ratio", "CPU s a step measured", "predicted", "ratio"
    )
    reached = 0.0  # FLOP/s
    cases = [(1, False), (2, False), (2, True)]
    for ranks, divided in cases:
        for thrifty in (False, True):
            way = Way(divided, thrifty)
            found = measured(shape, way, ranks)
            reached = reached or step_s(shape, way, Cluster(1, 1.0, 1.0))[0] / found["step_s"]
            compute, send = step_s(shape, way, Cluster(ranks, reached, found["bytes_s"] or 1.0))
            seconds = compute + send  # gloo sends with the cores that compute: nothing hides
            wanted = sum(memory(shape, way, ranks).values())
            cells = (found["bytes"] / 1e6, wanted / 1e6, found["bytes"] / wanted)
            times = (found["step_s"], seconds, found["step_s"] / seconds)
            row = [f"{cell:.0f}" for cell in cells[:2]] + [f"{cells[2]:.2f}"] + [f"{cell:.2f}" for cell in times]
            table.add_row(str(ranks), name_of(way), *row)
    table.caption = f"{reached / 1e9:.0f} GFLOP/s in the first row"
    return table


def main(overrides: dict[str, str]) -> None:
    """Read words of the form key=value; print."""
    shape = Shape(**{key: int(overrides.pop(key, value)) for key, value in SMALL.items()})
    if overrides.pop("work", None):
        way = Way(*(overrides[key] == "True" for key in ("divided", "thrifty")))
        print(json.dumps(work(shape, way)))
        return
    rates = {key: float(overrides.pop(key, value)) for key, value in H100.items()}
    table = check(shape) if overrides.pop("check", None) else plan(shape, **rates)
    if overrides:
        raise ValueError(f"unknown: {', '.join(overrides)}")
    table.title = f"{parameters(shape)[1] / 1e6:.0f} M parameters, {shape.batch} × {shape.tokens} tokens a GPU and step"
    Console(width=130).print(table)


if __name__ == "__main__":
    main(dict(word.split("=", 1) for word in sys.argv[1:]))
