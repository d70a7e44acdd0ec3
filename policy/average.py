"""The weights of every training step in, their running mean out: what is validated and what is left at the end."""

import lightning as L
from lightning.pytorch.callbacks import EMAWeightAveraging


class Average(EMAWeightAveraging):
    """Lightning's, but also right when a training was killed between its last step and its end: resumed, it takes no step,
    and `on_train_end`, which leaves the mean in the model, is not called.
    """

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Not yet."""

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Leave the mean in the model."""
        super().on_train_end(trainer, pl_module)
