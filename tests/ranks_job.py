"""A rank's part of tests/test_distributed.py: small trainings whose weights each rank leaves in a folder.

RANK=0 LOCAL_RANK=0 WORLD_SIZE=2 MASTER_ADDR=… MASTER_PORT=… python tests/ranks_job.py FOLDER
"""

import os
import sys
from pathlib import Path
from typing import Any

import hydra
import lightning as L
import torch
import torch.distributed as dist
from ranks import killed
from safetensors.torch import save_file
from small_quantizer import SMALL
from sprites import STEPS as WAYS
from sprites import sprites
from torch.utils.data import DataLoader, IterableDataset

from lapa import train
from lapa.config import compose
from lapa.records import FramePair
from quantizer.module import QuantizerModule

STEPS, KILLED_AT, BATCH = 6, 4, 16  # a batch of all ranks together
NO_RESTARTS = ["model.settings.bottleneck.least_uses=0"]  # they draw at random, and one rank draws other rows than two
LABELS = ["model.settings.targets.labels.weight=1", "model.settings.targets.labels.size=2"]
STILL = {"vq": [*NO_RESTARTS, *LABELS], "rvq": NO_RESTARTS, "fsq": []}
TRAINER = [
    f"trainer.max_steps={STEPS}",
    "trainer.precision=32-true",
    "trainer.log_every_n_steps=1",
    "trainer.save_every=3",
]
DATA = [
    "num_workers=0",
    "data.batch_size=4",
    "data.val_percent=30",
    "data.val_batches=1",
    "trainer.val_check_interval=3",
]


class Halves(IterableDataset):
    """Batch i is the same 16 sprites whoever asks; each of `world` ranks gets its share of the rows."""

    def __init__(self, rank: int, world: int):
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        return STEPS

    def __iter__(self):
        for step in range(STEPS):
            before, after, direction = sprites(BATCH, 24, seed=step)
            label = WAYS[direction].float()
            label[3:] = torch.nan  # so one of two ranks has all the labels
            before, after, label = (rows.chunk(self.world)[self.rank] for rows in (before, after, label))
            gap, none = torch.full((len(before),), 0.5), [""] * len(before)
            yield FramePair(none, before, after, gap, none, label)


def config(folder: Path, *words: str, bottleneck: str = "vq", trainer: str = "cpu", clips: str = "none") -> Any:
    """The real configuration of a quantizer's training, at toy size."""
    small = ["model.settings." + word for word in SMALL.split()]
    choice = [f"trainer={trainer}", "experiment=quantizer", f"bottleneck@model.settings.bottleneck={bottleneck}"]
    return compose("train", [*choice, f"clips={clips}", f"out={folder}", *TRAINER, *DATA, *small, *words])


def fit(folder: Path, name: str, *words: str, rank: int = 0, world: int = 1, **choice: str) -> None:
    """Train on this rank's halves and export to folder/name; what each rank holds of codebooks and scales goes beside it."""
    cfg = config(folder / name, "model.settings.code_dropout=0", "trainer.val_check_interval=null", *words, **choice)
    L.seed_everything(0, verbose=False)
    module = hydra.utils.instantiate(cfg.model)
    (folder / name).mkdir(parents=True, exist_ok=True)
    train.make_trainer(cfg, folder / name).fit(module, DataLoader(Halves(rank, world), batch_size=None))
    module.export(folder / name)
    state = module.model.bottleneck.state_dict() | dict(module.model.named_buffers())
    save_file({name: tensor.clone() for name, tensor in state.items()}, folder / f"{name}-{rank}.safetensors")


def break_and_resume(folder: Path) -> None:
    """The same training unbroken, and killed on both ranks after its checkpoint and run again; each a group of its own."""
    ports = iter(os.environ["PORTS"].split(","))

    def run(name: str) -> None:
        os.environ["MASTER_PORT"] = next(ports)
        train.main(config(folder / name, trainer="ddp_cpu", clips=str(folder / "clips")))

    run("whole")
    killed(QuantizerModule, lambda: run("broken"), at=KILLED_AT)
    run("broken")


def main(folder: Path) -> None:
    """All trainings of two ranks, one after the other."""
    ranks = {"rank": int(os.environ["RANK"]), "world": int(os.environ["WORLD_SIZE"])}
    for bottleneck, words in STILL.items():
        fit(folder, f"ddp-{bottleneck}", *words, bottleneck=bottleneck, trainer="ddp_cpu", **ranks)
    for bottleneck in ("vq", "rvq", "nsvq"):
        fit(folder, f"restarts-{bottleneck}", bottleneck=bottleneck, trainer="ddp_cpu", **ranks)
    fit(folder, "fsdp-vq", *STILL["vq"], bottleneck="vq", trainer="fsdp_cpu", **ranks)
    dist.destroy_process_group()
    break_and_resume(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
