"""Batches of LatentStep or Demo in, trained checkpoints out: the two Lightning modules of this room."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning as L
import torch
from einops import rearrange
from omegaconf import OmegaConf
from torch import Tensor, nn

from lapa import checkpoint
from lapa.optimiser import Schedule, configure
from lapa.ranks import mean_over_ranks
from lapa.records import Demo, LatentStep
from policy.augment import shift
from policy.inherit import inherit_latents, inherit_trunk
from policy.models import ActionModel, LatentModel
from policy.trunk import stack_cameras

Settings = dict[str, Any]


def plain(settings: Mapping[str, Any]) -> Settings:
    """Configuration as JSON-able dicts, as it lies in a checkpoint."""
    container = OmegaConf.to_container(OmegaConf.create(dict(settings)), resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


class _Policy(L.LightningModule):
    """What both have: settings of backbone and head, a schedule, and a `model` built once the data are known."""

    model: Any

    def __init__(
        self, *, backbone: Mapping[str, Any], head: Mapping[str, Any], init_from: str | None, shift_px: int,
        lr: Mapping[str, float], weight_decay: float, betas: tuple[float, float], warmup_steps: int, lr_end: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.backbone, self.head, self.init_from, self.shift_px = plain(backbone), plain(head), init_from, shift_px
        self.schedule = Schedule(dict(lr), weight_decay, (betas[0], betas[1]), warmup_steps, lr_end)
        self.settings: Settings = {}

    def see(self, batch: LatentStep | Demo) -> Tensor:
        """Pictures in the model's order; shifted a little while training."""
        images = stack_cameras(batch.images, self.model.cameras)
        return shift(images, max_px=self.shift_px) if self.training else images

    def configure_optimizers(self) -> Any:
        """AdamW; vision, language and head have rates of their own."""
        groups = self.model.trunk.backbone.parameter_groups()
        inside = {id(p) for members in groups.values() for p in members}
        groups = groups | {"head": [p for p in self.model.parameters() if id(p) not in inside]}
        return configure(groups, self.schedule, self.trainer.max_steps)


class LatentPolicy(_Policy):
    """Learns to foretell the quantizer's codes from one picture and the words.

    Logs accuracy beside `majority`, the accuracy of always naming each position's commonest code of the validation set.
    """

    model: LatentModel

    def setup_from(self, facts: Mapping[str, Any]) -> None:
        """Build for the labels' codebook; take up `init_from` when given (ValueError when its codebook is another)."""
        self.settings = {key: facts[key] for key in ("num_codes", "codes_per_step", "cameras")}
        self.settings |= {"backbone": self.backbone, "head": self.head}
        self.facts = {key: facts[key] for key in ("fps", "gap_s", "image_px") if key in facts}
        self.model = LatentModel(**self.settings)
        self.counts = torch.zeros(facts["codes_per_step"], facts["num_codes"])
        if self.init_from is not None:
            inherit_latents(self.model, Path(self.init_from), self.settings)

    def training_step(self, batch: LatentStep, _: int) -> Tensor:
        """Cross-entropy, mean over the k codes."""
        logits = self.model.logits(self.see(batch), list(batch.text), batch.codes)
        loss = _cross_entropy(logits, batch.codes)
        self.log("train/loss", loss, prog_bar=True)
        self.log("train/accuracy", _accuracy(logits, batch.codes), prog_bar=True)
        return loss

    def validation_step(self, batch: LatentStep, _: int) -> None:
        """Loss and accuracy on clips never trained on."""
        logits = self.model.logits(self.see(batch), list(batch.text), batch.codes)
        rows = {"val/loss": _cross_entropy(logits, batch.codes), "val/accuracy": _accuracy(logits, batch.codes)}
        self.log_dict(rows, batch_size=len(batch.codes), prog_bar=True, sync_dist=True)
        self.counts += nn.functional.one_hot(batch.codes, self.model.num_codes).sum(dim=0).cpu()

    def on_validation_epoch_end(self) -> None:
        """What naming the commonest codes would reach."""
        counts = mean_over_ranks(self.counts.to(self.device))
        self.log("val/majority", counts.max(dim=1).values.sum() / counts.sum(), prog_bar=True, sync_dist=True)
        self.counts.zero_()

    def export(self, folder: Path) -> Settings:
        """Weights and settings; returns the facts for the manifest."""
        checkpoint.save(folder, self.model, {"model": self.settings, "facts": self.facts, "kind": "latent"})
        return self.facts | {key: self.settings[key] for key in ("num_codes", "codes_per_step", "cameras")}


class ActionPolicy(_Policy):
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


def _cross_entropy(logits: Tensor, codes: Tensor) -> Tensor:
    return nn.functional.cross_entropy(rearrange(logits.float(), "b k n -> (b k) n"), rearrange(codes, "b k -> (b k)"))


def _accuracy(logits: Tensor, codes: Tensor) -> Tensor:
    return (logits.argmax(dim=-1) == codes).float().mean()
