"""A toy policy's folder and a running server around any policy, for the tests and benchmarks of serving."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from hydra.utils import instantiate

from lapa.config import compose
from lapa.train import main as train
from policy.server.connections import PolicyServer
from tests import policy_toys as toys


def toy_checkpoint(root: Path, *more: str) -> Path:
    """A policy trained for four steps on the toy demonstrations."""
    demos = toys.write_demos(root / "demos")
    train(toys.train_config("action_policy", f"demos={demos}", "init_from=null", f"out={root / 'policy'}", *more))
    return root / "policy"


def toy_request(seed: int = 0, **changes: Any) -> dict[str, Any]:
    """What a client sends for the toy policy, in openpi's words."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (toys.PX, toys.PX, 3), dtype=np.uint8)
    fields = {"observation/image": picture, "observation/state": rng.normal(0, 0.1, 3), "prompt": "reach the red block"}
    return fields | changes


def build(checkpoint: Path, *more: str) -> PolicyServer:
    """The server of configs/serve.yaml."""
    cfg = compose("serve", [f"checkpoint={checkpoint}", *more])
    return instantiate(cfg.server, _convert_="all")


@contextmanager
def running(server: PolicyServer) -> Iterator[int]:
    """Its port; it stops, as at SIGTERM, when the block ends."""
    ports: list[int] = []
    stop, started = asyncio.Event(), threading.Event()
    loop = asyncio.new_event_loop()

    def ready(port: int) -> None:
        ports.append(port)
        started.set()

    thread = threading.Thread(
        target=lambda: loop.run_until_complete(server.run("127.0.0.1", 0, stop=stop, ready=ready)), daemon=True
    )
    thread.start()
    assert started.wait(10)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        assert not thread.is_alive()
        loop.close()
