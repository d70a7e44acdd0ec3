"""Latency and throughput of `lapa serve` beside the bare forward pass; 1, 8 and 32 clients. Prints a markdown table.

python benchmarks/bench_serve.py [checkpoint=FOLDER] [seconds=10] [server.max_wait_ms=…]
Without a checkpoint it serves a toy policy; further words go to `lapa serve`.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from websockets.asyncio.client import connect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from lapa.records import Observation
from policy import infer
from policy.server.client import request
from policy.server.message import pack, unpack
from tests import serving

CLIENTS = (1, 8, 32)
WARM = 5  # rounds that are not counted


def observation(policy: infer.Policy, seed: int) -> Observation:
    """Noise of the right shapes."""
    generator, side = torch.Generator().manual_seed(seed), policy.image_px or 64
    images = {
        name: torch.randint(0, 256, (3, side, side), dtype=torch.uint8, generator=generator) for name in policy.cameras
    }
    return Observation(images, "push the red block to the green zone", torch.zeros(len(policy.state_names)))


def bare_ms(policy: infer.Policy, batch: int, seconds: float) -> np.ndarray:
    """Milliseconds of each forward pass of `batch` observations, without a server."""
    seen, taken = [observation(policy, i) for i in range(batch)], []
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(taken) < 2 * WARM:
        start = time.perf_counter()
        policy.act_batch(seen)
        taken.append((time.perf_counter() - start) * 1e3)
    return np.array(taken[WARM:])


async def client(port: int, message: bytes, deadline: float) -> list[dict[str, Any]]:
    """Asks again as soon as it is answered; the timings of each answer, `trip_ms` among them."""
    rows = []
    async with connect(f"ws://127.0.0.1:{port}", compression=None, max_size=None) as line:
        await line.recv()
        while time.perf_counter() < deadline:
            start = time.perf_counter()
            await line.send(message)
            reply = await line.recv()
            assert isinstance(reply, bytes), reply
            trip_ms = (time.perf_counter() - start) * 1e3
            rows.append({**unpack(reply, max_bytes=2**24)["server_timing"], "trip_ms": trip_ms})
    return rows[WARM:]


async def together(port: int, messages: list[bytes], seconds: float) -> list[dict[str, Any]]:
    """All clients at once."""
    deadline = time.perf_counter() + seconds
    return [row for rows in await asyncio.gather(*(client(port, one, deadline) for one in messages)) for row in rows]


def served(checkpoint: Path, words: list[str]) -> tuple[subprocess.Popen[str], int]:
    """A server in a process of its own, as a user starts it."""
    command = [sys.executable, "-m", "lapa", "serve", f"checkpoint={checkpoint}", "port=0", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert process.stdout is not None
    return process, int(process.stdout.readline().rsplit(":", 1)[1])


def row(name: str, rows: list[dict[str, Any]], seconds: float) -> str:
    """A line of the table."""
    column = {key: np.array([one[key] for one in rows]) for key in rows[0]}
    ours = column["total_ms"] - column["queue_ms"] - column["model_ms"]
    away = column["trip_ms"] - column["total_ms"]
    p50, p99 = np.quantile(column["trip_ms"], (0.5, 0.99))
    medians = [np.median(part) for part in (column["queue_ms"], column["model_ms"], ours, away)]
    cells = [f"{p50:.2f}", f"{p99:.2f}", f"{len(rows) / seconds:.0f}", f"{column['batch'].mean():.1f}"]
    return f"| {name} | " + " | ".join([*cells, *(f"{part:.2f}" for part in medians)]) + " |"


def measure(checkpoint: Path, seconds: float, words: list[str]) -> None:
    policy = infer.load(checkpoint, device="cpu")
    parameters = sum(p.numel() for p in policy.model.parameters()) / 1e6
    threads, load = torch.get_num_threads(), os.getloadavg()[0]
    print(
        f"{parameters:.2f} M parameters, {policy.image_px} px, {threads} threads, load {load:.1f} on {os.cpu_count()} cores\n"
    )
    print("| | p50 ms | p99 ms | requests/s | batch | queue | model | server's own | network, client |")
    print("|---|---|---|---|---|---|---|---|---|")
    for batch in CLIENTS:
        taken = bare_ms(policy, batch, seconds)
        p50, p99 = np.quantile(taken, (0.5, 0.99))
        cells = f"{p50:.2f} | {p99:.2f} | {1e3 * batch / taken.mean():.0f} | {batch}"
        print(f"| forward, batch {batch} | {cells} | | | | |", flush=True)
    process, port = served(checkpoint, words)
    try:
        for clients in CLIENTS:
            messages = [pack(request(observation(policy, i))) for i in range(clients)]
            rows = asyncio.run(together(port, messages, seconds))
            print(row(f"served, {clients} clients", rows, seconds), flush=True)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[1:])
    seconds, checkpoint = float(given.pop("seconds", 10)), given.pop("checkpoint", None)
    words = [f"{key}={value}" for key, value in given.items()]
    if checkpoint is not None:
        measure(Path(checkpoint), seconds, words)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(serving.toy_checkpoint(Path(folder)), seconds, words)


if __name__ == "__main__":
    main()
