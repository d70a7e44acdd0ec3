"""Training steps in, how fast they go out: samples/s, share of time spent waiting for data, FLOP/s and MFU, on the bar too."""

import time
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import TQDMProgressBar

from lapa.flops import Flops, matmul_peak

DTYPES = {"bf16": torch.bfloat16, "16": torch.float16, "32": torch.float32, "64": torch.float64}  # by Lightning's names
PER_SECOND, TOKENS, WAIT, FLOPS, MFU = (
    f"speed/{name}" for name in ("samples_per_s", "tokens_per_s", "data_wait", "tflops", "mfu")
)


class Throughput(L.Callback):
    """Over every `every` steps: samples/s and model TFLOP/s of all ranks, the share of time spent waiting for data, and
    MFU, the model's FLOP/s as a share of the fastest matrix product this device was seen to do in this precision; of
    modules that count `tokens` of a batch, tokens/s too (as if other ranks' batches had as many).

    FLOPs are counted on the first step, which is not timed; neither are validation and checkpoints.
    """

    def __init__(self, *, every: int, batch_size: int):
        self.every, self.batch_size = every, batch_size
        self.opened = self.ended = self.stopped = 0.0  # [s] when the window, the last step and the pause began
        self.steps, self.tokens, self.waited, self.peak = 0, 0, 0.0, 0.0
        self.counter: Flops | None = None

    def on_train_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Measure the peak, once."""
        self.peak = matmul_peak(module.device, DTYPES[str(trainer.precision).partition("-")[0]])

    def on_train_batch_start(self, *_: Any) -> None:
        """The time since the last step ended was spent on waiting for this batch."""
        self.waited += time.perf_counter() - self.ended
        if self.counter is None:
            self.counter = Flops()
            self.counter.__enter__()

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, _: Any, batch: Any, *__: Any) -> None:
        """Close the window every `every` steps."""
        assert self.counter is not None
        self.tokens += module.tokens(batch) if hasattr(module, "tokens") else 0  # type: ignore[operator]
        self.ended = time.perf_counter()
        if self.opened == 0.0:
            self.counter.__exit__(None, None, None)
            self._open()
            return
        self.steps += 1
        if trainer.global_step % self.every == 0:
            module.log_dict(self._speed(trainer.world_size), prog_bar=True)
            self._open()

    def on_exception(self, *_: Any) -> None:
        """A first step that fails must not leave its counter on."""
        if self.counter is not None and self.opened == 0.0:
            self.counter.__exit__(None, None, None)

    def on_validation_start(self, *_: Any) -> None:
        """Stop the clocks."""
        self.pause()

    def on_validation_end(self, *_: Any) -> None:
        """Let them run again."""
        self.go_on()

    def pause(self) -> None:
        """What follows is neither training nor waiting, until `go_on`."""
        self.stopped = time.perf_counter()

    def go_on(self) -> None:
        """Take the pause out of all times."""
        away = time.perf_counter() - self.stopped
        self.ended += away
        self.opened += away if self.opened else 0.0

    def _open(self) -> None:
        self.opened, self.waited, self.steps, self.tokens = self.ended, 0.0, 0, 0

    def _speed(self, ranks: int) -> dict[str, float]:
        assert self.counter is not None
        elapsed = self.ended - self.opened
        flops = self.counter.total * self.steps / elapsed
        rate = self.steps * self.batch_size * ranks / elapsed
        rows = {PER_SECOND: rate, WAIT: self.waited / elapsed, FLOPS: flops * ranks / 1e12, MFU: flops / self.peak}
        return rows | ({TOKENS: self.tokens * ranks / elapsed} if self.tokens else {})


class Bar(TQDMProgressBar):
    """Lightning's bar: steps, rate, time left, the last logged losses and, in short words, how fast it goes."""

    def get_metrics(self, trainer: L.Trainer, pl_module: L.LightningModule) -> dict[str, Any]:
        """What stands behind the bar."""
        metrics: dict[str, Any] = dict(super().get_metrics(trainer, pl_module))
        metrics.pop("v_num", None)
        if PER_SECOND not in metrics:
            return metrics
        rate, wait, flops, mfu = (float(metrics.pop(name)) for name in (PER_SECOND, WAIT, FLOPS, MFU))
        words = {"samples/s": f"{rate:.4g}", "TFLOP/s": f"{flops:.3g}", "MFU": f"{mfu:.0%}", "data wait": f"{wait:.0%}"}
        if TOKENS in metrics:
            words["tokens/s"] = f"{float(metrics.pop(TOKENS)):.4g}"
        return metrics | words
