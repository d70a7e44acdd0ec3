"""Batches of LatentStep in, a trained latent policy out: the Lightning module that learns to foretell codes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from lapa import checkpoint
from lapa.ranks import mean_over_ranks
from lapa.records import LatentStep
from policy.inherit import inherit_latents
from policy.models import LatentModel
from policy.module import PolicyModule, Settings


class LatentPolicy(PolicyModule):
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


def _cross_entropy(logits: Tensor, codes: Tensor) -> Tensor:
    return nn.functional.cross_entropy(rearrange(logits.float(), "b k n -> (b k) n"), rearrange(codes, "b k -> (b k)"))


def _accuracy(logits: Tensor, codes: Tensor) -> Tensor:
    return (logits.argmax(dim=-1) == codes).float().mean()
