"""Batches of Demo in, a trained action policy out: the Lightning module that learns a robot's joint commands."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor, nn

from lapa import checkpoint
from lapa.memory import peak_mb
from lapa.records import Demo
from policy.average import Average
from policy.bodies import make_normaliser
from policy.heads.action import masked_mean
from policy.inherit import inherit_codes, inherit_statistics, inherit_trunk
from policy.models import ActionModel
from policy.module import PolicyModule, Settings, plain
from policy.preflight import check_demos
from policy.strategy import adapters, count, merge
from policy.trunk import ALLOWED


class ActionPolicy(PolicyModule):
    """Learns a robot's actions from demonstrations, from a latent policy's trunk or, `init_from=null`, from scratch.

    Logs the head's loss; on validation the mean absolute error of what the policy does, beside `mean_error`, that of always
    doing the demonstrations' mean (with `normalisation: quantile`, the middle of their range). What it goes on training
    from, an action policy, keeps its own statistics.
    """

    model: ActionModel
    entrances = ("loss",)

    def __init__(
        self, *, codes_per_step: int, normalisation: str, strategy: Mapping[str, Any], ema_decay: float,
        keep_latents: float, **common: Any,
    ) -> None:  # fmt: skip
        super().__init__(**common)
        self.codes_per_step, self.normalisation = codes_per_step, normalisation
        self.strategy, self.ema_decay = plain(strategy), ema_decay
        self.keep_latents = keep_latents

    def setup_from(self, facts: Mapping[str, Any]) -> None:
        """Build for the demonstrations' robot; take up `init_from` (ValueError when it does not fit)."""
        if self.init_from is not None:
            check_demos(Path(self.init_from), facts)
        names = ("cameras", "embodiment", "state_names", "action_names", "absolute", "chunk_steps")
        self.settings = {key: facts[key] for key in names} | {"normalisation": self.normalisation}
        self.settings |= {"backbone": self.backbone, "head": self.head, "codes_per_step": self.codes_per_step}
        kept = inherit_statistics(Path(self.init_from), self.head) if self.init_from is not None else None
        self.settings["statistics"] = kept or facts["statistics"] | {"head": self._fit(facts)}
        self.facts = {key: facts[key] for key in ("fps", "image_px", "name_robot", "mixture") if key in facts}
        self.model = ActionModel(**self.settings)
        if self.init_from is not None:
            inherit_trunk(self.model, Path(self.init_from), self.settings)
        checkpoint.build(self.strategy, allowed=ALLOWED)(self.model)
        if self.keep_latents:
            self.model.keep(self._code_head(facts), self.keep_latents)

    def configure_callbacks(self) -> list[L.Callback]:
        """The running mean of the weights, where one is asked for; ValueError where weights would be divided in vain."""
        whole = self.ema_decay or self.keep_latents or adapters(self.model)
        if whole and isinstance(self.trainer.strategy, ModelParallelStrategy):
            raise ValueError("ema_decay, keep_latents and the strategy lora need whole weights: trainer=ddp")
        return [Average(decay=self.ema_decay)] if self.ema_decay else []

    def training_step(self, batch: Demo, _: int) -> Tensor:
        """The head's loss of normalised actions, and what is kept of the latent policy's."""
        acted = (batch.state, batch.actions, batch.action_mask)
        loss = self.model.loss(self.see(batch), list(batch.text), *acted, batch.codes)
        self.log("train/loss", loss, prog_bar=True)
        self.log("memory/peak_mb", peak_mb(self.device))
        return loss

    def validation_step(self, batch: Demo, _: int) -> Tensor:
        """The error of acting on demonstrations never trained on, in normalised units; returns what the policy does."""
        predicted = self.model(self.see(batch), list(batch.text), batch.state).float()
        wanted = self.model.normaliser.normalise(batch.state, batch.actions)
        errors, mask = (predicted - wanted).abs(), batch.action_mask
        rows = {"val/loss": masked_mean(errors, mask), "val/mean_error": masked_mean(wanted.abs(), mask)}
        for name, body in self.model.normaliser.bodies.items():
            own = body.rows(batch.state)
            rows[f"val/loss_{name}"] = masked_mean(errors[own], mask[own])
        if self.model.codes is not None:
            rows["val/accuracy"] = self._accuracy(batch)
        self.log_dict(rows, batch_size=len(batch.state), prog_bar=True, sync_dist=True)
        return predicted

    def export(self, folder: Path) -> Settings:
        """Plain weights and settings, normalisation statistics among them; returns the facts for the manifest."""
        sizes = count(self.model)
        merge(self.model)
        self.model.keep(None, 0.0)
        checkpoint.save(folder, self.model, {"model": self.settings, "facts": self.facts, "kind": "action"})
        ours = ("embodiment", "cameras", "codes_per_step", "chunk_steps")
        return self.facts | {key: self.settings[key] for key in ours} | sizes

    def _code_head(self, facts: Mapping[str, Any]) -> nn.Module:
        if self.init_from is None or facts["labels"] is None:
            raise ValueError(
                "keep_latents needs a latent policy (init_from=FOLDER) and the demonstrations' codes=FOLDER"
            )
        return inherit_codes(Path(self.init_from), facts["labels"])

    def _accuracy(self, batch: Demo) -> Tensor:
        """Of the codes that are known, the share that the kept code head foretells."""
        known = batch.codes >= 0
        logits = self.model.codes.logits(self.model.trunk, self.see(batch), list(batch.text), batch.codes.clamp(min=0))
        return (logits.argmax(dim=-1) == batch.codes)[known].float().mean()

    def _fit(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The head's fit to normalised demonstrations."""
        robot = {key: facts[key] for key in ("state_names", "action_names", "absolute", "statistics")}
        normaliser = make_normaliser(**robot, normalisation=self.normalisation)
        head = checkpoint.build(self.head, allowed=ALLOWED)
        return head.func.fit(normaliser.examples(facts["examples"]), **head.keywords)
