"""A rank's part of tests/test_policy_ranks.py: small trainings of both policies whose results are left in a folder.

RANK=0 LOCAL_RANK=0 WORLD_SIZE=2 MASTER_ADDR=… MASTER_PORT=… PORTS=… python tests/policy_ranks.py FOLDER
"""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import hydra
import lightning as L
import policy_toys as toys
import torch
import torch.distributed as dist
from ranks import killed
from torch.utils.data import DataLoader, IterableDataset

from lapa import train
from lapa.ranks import own_group
from lapa.records import Demo, LatentStep
from policy.latent_policy import LatentPolicy

STEPS, KILLED_AT, SAVED_AT, BATCH = 4, 3, 2, 8  # a batch of all ranks together
RUN = [f"trainer.max_steps={STEPS}", f"trainer.save_every={SAVED_AT}"]
ALONE = [*RUN, "trainer.val_check_interval=null"]
FACTS = {"num_codes": 8, "codes_per_step": 4, "cameras": ["front"], "gaps_s": [0.5]}
TEXTS = ["reach the red block", "push", "put the blue cup onto the plate", "go"] * 2
LATENT, ACTION = "latent_policy", "action_policy"
FUTURE = ["model.future.weight=0.5", "model.future.side_px=4"]


def latent_step(generator: torch.Generator) -> LatentStep:
    images, after = torch.randint(0, 256, (2, BATCH, 3, toys.PX, toys.PX), dtype=torch.uint8, generator=generator)
    codes = torch.randint(0, 8, (BATCH, 4), generator=generator)
    unknown = (torch.full_like(codes, -1), after, torch.zeros(BATCH, 0))
    return LatentStep(TEXTS, {"front": images}, TEXTS, codes, torch.full((BATCH,), 0.5), *unknown)


def demo(generator: torch.Generator) -> Demo:
    images = torch.randint(0, 256, (BATCH, 3, toys.PX, toys.PX), dtype=torch.uint8, generator=generator)
    actions, state = torch.randn(BATCH, 8, 3, generator=generator), torch.randn(BATCH, 3, generator=generator)
    mask, codes = torch.ones(BATCH, 8, 3, dtype=torch.bool), torch.zeros(BATCH, 0, dtype=torch.int64)
    return Demo(TEXTS, {"front": images}, TEXTS, state, actions, mask, codes)


def rows_of(value: Any, rows: slice) -> Any:
    return {name: each[rows] for name, each in value.items()} if isinstance(value, dict) else value[rows]


class Shares(IterableDataset):
    """Batch i is the same whoever asks; each of `world` ranks gets its share of the rows."""

    def __init__(self, make: Any, start: int, rank: int, world: int):
        self.make, self.start, self.rank, self.world = make, start, rank, world

    def __len__(self) -> int:
        return STEPS

    def __iter__(self):
        each = BATCH // self.world
        rows = slice(self.rank * each, (self.rank + 1) * each)
        for step in range(self.start, STEPS):
            batch = self.make(torch.Generator().manual_seed(step))
            yield type(batch)(*(rows_of(value, rows) for value in batch))


class SharesData(L.LightningDataModule):
    """As lapa.stream.StreamData: goes on at the trainer's step."""

    def __init__(self, make: Any):
        super().__init__()
        self.make = make

    def train_dataloader(self) -> DataLoader:
        trainer = self.trainer
        assert trainer is not None
        return DataLoader(
            Shares(self.make, trainer.global_step, trainer.global_rank, trainer.world_size), batch_size=None
        )


def fit(folder: Path, name: str, experiment: str, *words: str, resume: Path | None = None) -> None:
    """Train on this rank's shares and export to folder/name; what it resumes from is a checkpoint's file."""
    out = folder / name
    names = ["clips=none", "codes=none"] if experiment == LATENT else [f"demos={folder / 'demos'}", "init_from=null"]
    more = [] if experiment == LATENT else ["model.shift_px=0"]  # ranks draw other shifts than one process
    cfg = toys.train_config(experiment, *names, *more, *ALONE, f"out={out}", *words)
    L.seed_everything(0, verbose=False)
    module = hydra.utils.instantiate(cfg.model)
    module.setup_from(FACTS if experiment == LATENT else hydra.utils.instantiate(cfg.data).facts())
    out.mkdir(parents=True, exist_ok=True)
    data = SharesData(latent_step if experiment == LATENT else demo)
    train.fit(train.make_trainer(cfg, out), module, data, resume or out / "none")
    module.export(out)


def through_the_door(folder: Path, trainer: str, ports: list[str]) -> None:
    """The same training from shards unbroken, and killed on both ranks after its checkpoint and run again."""

    def run(name: str) -> None:
        os.environ["MASTER_PORT"] = ports.pop()
        names = [f"clips={folder / 'clips'}", f"codes={folder / 'codes'}", f"out={folder / name}", f"trainer={trainer}"]
        train.main(toys.train_config(LATENT, *names, *RUN, "data.val_percent=30", "trainer.val_check_interval=2"))

    run(f"whole-{trainer}")
    killed(LatentPolicy, lambda: run(f"broken-{trainer}"), at=KILLED_AT)
    run(f"broken-{trainer}")


def main(folder: Path) -> None:
    """All trainings of two ranks, one after the other; each group has a port of its own."""
    ports = os.environ["PORTS"].split(",")
    for name, experiment, words in (
        ("ddp-latent", LATENT, ["trainer=ddp_cpu", *FUTURE]),
        ("fsdp-latent", LATENT, ["trainer=fsdp_cpu", "trainer.checkpoint_activations=true", *FUTURE]),
        ("ddp-action", ACTION, ["trainer=ddp_cpu"]),
    ):
        os.environ["MASTER_PORT"] = ports.pop()
        with own_group():
            fit(folder, name, experiment, *words)
    for trainer in ("ddp_cpu", "fsdp_cpu"):
        os.environ["MASTER_PORT"] = ports.pop()
        with own_group():
            killed(LatentPolicy, partial(fit, folder, f"half-{trainer}", LATENT, f"trainer={trainer}"), at=KILLED_AT)
        if dist.is_initialized():
            dist.destroy_process_group()
    through_the_door(folder, "ddp_cpu", ports)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
