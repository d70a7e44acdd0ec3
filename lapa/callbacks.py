"""What hangs on the trainer: a bar with rate and time left, per-step seeding for exact resume, how long data was awaited."""

import time
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar


class SeedEachStep(L.Callback):
    """Seed torch from (seed, step), so that a resumed training draws what the unbroken one would have drawn."""

    def __init__(self, seed: int):
        self.seed = seed

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        """Seed before every training step."""
        torch.manual_seed(self.seed * 1_000_003 + trainer.global_step)


class Throughput(L.Callback):
    """Log samples/s and the share of time that training waited for data, over every `every` steps."""

    def __init__(self, *, every: int, batch_size: int):
        self.every, self.batch_size = every, batch_size
        self.ended = self.window = 0.0
        self.waited = 0.0

    def on_train_start(self, *_: Any) -> None:
        """Start the clocks."""
        self.ended = self.window = time.perf_counter()

    def on_train_batch_start(self, *_: Any) -> None:
        """The time since the last step ended was spent on waiting for this batch."""
        self.waited += time.perf_counter() - self.ended

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """Close the window every `every` steps."""
        self.ended = time.perf_counter()
        if trainer.global_step % self.every == 0:
            elapsed = self.ended - self.window
            rate = self.every * self.batch_size * trainer.world_size / elapsed
            module.log_dict({"speed/samples_per_s": rate, "speed/data_wait": self.waited / elapsed})
            self.window, self.waited = self.ended, 0.0


class Resume(ModelCheckpoint):
    """`resume/last.ckpt` every `every` steps; written atomically by Lightning, read back with weights_only."""

    def __init__(self, *, folder: str, every: int):
        super().__init__(
            dirpath=folder, filename="step", every_n_train_steps=every, save_top_k=1, save_last=True,
            enable_version_counter=False,
        )  # fmt: skip


def progress_bar() -> TQDMProgressBar:
    """Lightning's bar: steps, rate, time left, the last logged losses."""
    return TQDMProgressBar(refresh_rate=10)
