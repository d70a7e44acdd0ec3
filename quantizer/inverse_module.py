"""Batches of ActionPair in, a trained inverse dynamics folder out: loss, optimiser, and R² on unseen demonstrations."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lapa import checkpoint
from lapa.probe import r_squared
from lapa.ranks import gathered
from quantizer.actions import ActionPair
from quantizer.inverse_dynamics import FROM_DATA, InverseDynamics
from quantizer.training import PairTraining


class InverseDynamicsModule(PairTraining):
    """Trains what `settings` describe, completed by the demonstrations' names and statistics.

    Logs on unseen demonstrations R² (0 is predicting their mean, 1 is exact) and each action's mean absolute error.
    """

    model: InverseDynamics

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.seen: list[tuple[Tensor, Tensor]] = []  # predicted and true actions of validation batches, own units

    def setup_from(self, facts: Mapping[str, Any]) -> None:
        """Take names and statistics of the demonstrations; ValueError when their pictures are of another size."""
        if facts["image_px"] != self.settings["image_px"]:
            raise ValueError(
                f"the demonstrations are {facts['image_px']} px; this model reads image_px={self.settings['image_px']}"
            )
        self.settings |= {key: facts[key] for key in FROM_DATA}
        self.facts = {key: facts[key] for key in ("fps", "gap_s", "state_names")}

    def parts(self) -> list[nn.Module]:
        """What torch.compile is for: all but block matching."""
        return [self.model.encoder]

    def blocks(self) -> list[nn.Module]:
        """What repeats, and holds most weights and activations."""
        return list(self.model.encoder.transformer.blocks)

    def training_step(self, batch: ActionPair, _: int) -> Tensor:
        """Mean squared error of normalised actions."""
        loss = F.mse_loss(self.model(batch.before, batch.after), self.model.normalise(batch.actions))
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: ActionPair, _: int) -> None:
        """The same; predictions are kept for R²."""
        guess = self.model.actions(batch.before, batch.after)
        loss = F.mse_loss(self.model.normalise(guess), self.model.normalise(batch.actions))
        self.log("val/loss", loss, batch_size=len(guess), sync_dist=True)
        self.seen.append((guess, batch.actions))

    def on_validation_epoch_end(self) -> None:
        """R² over all steps and actions that vary; errors one by one, as their units differ. On what all ranks saw."""
        guess, truth = (gathered(torch.cat(parts)).cpu() for parts in zip(*self.seen, strict=True))
        self.seen.clear()
        self.log("val/r2", r_squared(guess.flatten(1), truth.flatten(1)), prog_bar=True, sync_dist=True)
        errors = zip(self.model.action_names, (guess - truth).abs().mean((0, 1)).tolist(), strict=True)
        self.log_dict({f"val/error_{name}": error for name, error in errors}, sync_dist=True)

    def export(self, folder: Path) -> dict[str, Any]:
        """Weights and settings, statistics among them; returns the facts for the manifest."""
        facts = self.facts | {key: self.settings[key] for key in ("image_px", *FROM_DATA)}
        checkpoint.save(folder, self.model, {"model": self.settings, "facts": self.facts})
        return facts
