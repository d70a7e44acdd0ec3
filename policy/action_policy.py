"""Batches of Demo in, a trained action policy out: the Lightning module that learns a robot's joint commands."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from lapa import checkpoint
from lapa.records import Demo
from policy.inherit import inherit_trunk
from policy.models import ActionModel
from policy.module import PolicyModule, Settings


class ActionPolicy(PolicyModule):
    """Learns a robot's actions from demonstrations, from a latent policy's trunk or, `init_from=null`, from scratch.

    Logs the mean absolute error beside `mean_error`, that of always doing the demonstrations' mean.
    """

    model: ActionModel

    def __init__(self, *, codes_per_step: int, **common: Any) -> None:
        super().__init__(**common)
        self.codes_per_step = codes_per_step

    def setup_from(self, facts: Mapping[str, Any]) -> None:
        """Build for the demonstrations' robot; take up `init_from` (ValueError when it does not fit)."""
        names = ("cameras", "embodiment", "state_names", "action_names", "absolute", "statistics", "chunk_steps")
        self.settings = {key: facts[key] for key in names}
        self.settings |= {"backbone": self.backbone, "head": self.head, "codes_per_step": self.codes_per_step}
        self.facts = {key: facts[key] for key in ("fps", "image_px") if key in facts}
        self.model = ActionModel(**self.settings)
        if self.init_from is not None:
            inherit_trunk(self.model, Path(self.init_from), self.settings)

    def training_step(self, batch: Demo, _: int) -> Tensor:
        """Mean absolute error of normalised actions."""
        loss, _zero = self._errors(batch)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Demo, _: int) -> None:
        """The same on demonstrations never trained on."""
        loss, mean_error = self._errors(batch)
        rows = {"val/loss": loss, "val/mean_error": mean_error}
        self.log_dict(rows, batch_size=len(batch.state), prog_bar=True, sync_dist=True)

    def export(self, folder: Path) -> Settings:
        """Weights and settings, normalisation statistics among them; returns the facts for the manifest."""
        checkpoint.save(folder, self.model, {"model": self.settings, "facts": self.facts, "kind": "action"})
        ours = ("embodiment", "cameras", "codes_per_step", "chunk_steps")
        return self.facts | {key: self.settings[key] for key in ours}

    def _errors(self, batch: Demo) -> tuple[Tensor, Tensor]:
        predicted = self.model(self.see(batch), list(batch.text), batch.state)
        wanted = self.model.normaliser.normalise(batch.state, batch.actions)
        head = self.model.actions
        return head.loss(predicted, wanted, batch.action_mask), head.loss(wanted * 0, wanted, batch.action_mask)
