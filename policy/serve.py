"""The serving door: a checkpoint by configuration in, a server for openpi's client out, until it is told to stop."""

import asyncio
import os
import signal

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from policy.graphs import use_graphs
from policy.server.connections import PolicyServer

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(cfg: DictConfig) -> None:
    """`lapa serve checkpoint=FOLDER`; ends at SIGTERM or Ctrl-C after answering what was asked."""
    if cfg.token is None and cfg.host not in LOOPBACK:
        print(f"host={cfg.host} without token=…: whoever reaches this port can use the policy", flush=True)
    server = instantiate(cfg.server, _convert_="all")
    if cfg.robot is not None:
        server.policy.preflight(OmegaConf.to_container(cfg.robot))
    if cfg.cuda_graphs:
        use_graphs(server.policy, max_batch=cfg.server.max_batch)
    torch.set_num_threads(cfg.threads or max(1, (os.cpu_count() or 1) - 1))
    asyncio.run(_serve(cfg, server))


async def _serve(cfg: DictConfig, server: PolicyServer) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def ready(port: int) -> None:
        policy = server.policy
        eyes, rate = ", ".join(policy.cameras), "" if policy.fps is None else f" at {policy.fps:g} Hz"
        what = f"{policy.embodiment}: {eyes} → {policy.chunk_steps} × {len(policy.action_names)} actions{rate}"
        print(f"policy {policy.hash} ({what}) at ws://{cfg.host}:{port}", flush=True)

    await server.run(cfg.host, cfg.port, stop=stop, ready=ready)
