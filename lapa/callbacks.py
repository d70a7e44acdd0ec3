"""What hangs on the trainer: per-step seeding and checkpoints for exact resume, and switches that save memory or time."""

import tempfile
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.utilities.model_helpers import is_overridden

from lapa.scale import recompute
from lapa.throughput import Throughput


class SeedEachStep(L.Callback):
    """Seed torch from (seed, step, rank), so that a resumed training draws what the unbroken one would have drawn."""

    def __init__(self, seed: int):
        self.seed = seed

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Seed before every training step. A CPU's generator reads 32 bits, so ranks differ in the low ones."""
        torch.manual_seed(self.seed * 1_000_003 + trainer.global_step + trainer.global_rank * 7_368_787)


class Switches(L.Callback):
    """What saves memory or time and changes results by rounding only; each asks the module for the parts it is for.

    `checkpoint_activations`: what `blocks()` names is computed again in the backward pass. `compile`: what `parts()`
    names goes through torch.compile, from the second step on, as the first one's FLOPs are counted.
    """

    def __init__(self, *, compile: bool, checkpoint_activations: bool):
        self.compile, self.checkpoint_activations = compile, checkpoint_activations

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """ValueError when the module has no moment at which its weights could be divided."""
        if isinstance(trainer.strategy, ModelParallelStrategy):
            _require(pl_module, is_overridden("configure_model", pl_module), "trainer=fsdp", "trainer=ddp")

    def on_fit_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """ValueError when the module cannot do what is asked; weights that were not divided would drift apart unseen."""
        if isinstance(trainer.strategy, ModelParallelStrategy):
            _require(module, any(hasattr(p, "full_tensor") for p in module.parameters()), "trainer=fsdp", "trainer=ddp")
        if self.compile:
            _require(module, hasattr(module, "parts"), "trainer.compile=true", "false")
        if self.checkpoint_activations:
            _require(module, hasattr(module, "blocks"), "trainer.checkpoint_activations=true", "false")
            for block in module.blocks():  # type: ignore[operator]
                recompute(block)

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """After the first step."""
        if self.compile:
            for part in module.parts():  # type: ignore[operator]
                part.compile()
            self.compile = False


class Resume(ModelCheckpoint):
    """`resume/last.ckpt` every `every` steps, whole or not at all; read back with weights_only."""

    def __init__(self, *, folder: str, every: int, throughput: Throughput):
        super().__init__(
            dirpath=folder, filename="step", every_n_train_steps=every, save_top_k=1, save_last=True,
            enable_version_counter=False,
        )  # fmt: skip
        self.throughput = throughput

    def _save_checkpoint(self, trainer: L.Trainer, filepath: str) -> None:
        """Lightning writes to Python's temporary folder and moves: on another file system than ours that is no atomic step."""
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        before, tempfile.tempdir = tempfile.tempdir, str(Path(filepath).parent)
        try:
            super()._save_checkpoint(trainer, filepath)
        finally:
            tempfile.tempdir = before

    def on_train_batch_end(self, *args: Any) -> None:
        """Save when it is time; that is no waiting for data."""
        self.throughput.pause()
        super().on_train_batch_end(*args)
        self.throughput.go_on()


def _require(module: L.LightningModule, able: bool, asked: str, instead: str) -> None:
    if not able:
        raise ValueError(f"{type(module).__name__} cannot do {asked}; choose {instead}")
