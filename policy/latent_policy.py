"""Batches of LatentStep in, a trained latent policy out: the Lightning module that learns to foretell codes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from einops import rearrange
from torch import Tensor, nn

from lapa import checkpoint
from lapa.records import LatentStep
from policy.inherit import inherit_latents
from policy.models import Foretold, LatentModel
from policy.module import PolicyModule, Settings, plain
from policy.score import Reading, Tally, probe, reading, scores, tally


class LatentPolicy(PolicyModule):
    """Learns to foretell the quantizer's codes from one picture and the words.

    Logs on validation what policy/score.py counts, position by position, and, where the clips know their true states,
    `probe_r2`: how much of their change a linear map reads from the hidden states.
    """

    model: LatentModel
    entrances = ("hidden",)

    def __init__(self, *, label_smoothing: float, future: Mapping[str, Any], **common: Any) -> None:
        super().__init__(**common)
        self.label_smoothing, self.future = label_smoothing, plain(future)
        self.tallies: list[Tally] = []
        self.readings: list[Reading] = []

    def setup_from(self, facts: Mapping[str, Any]) -> None:
        """Build for the labels' codebook; take up `init_from` when given (ValueError when its codebook is another)."""
        self.settings = {key: facts[key] for key in ("num_codes", "codes_per_step", "cameras", "gaps_s")}
        self.settings |= {"backbone": self.backbone, "head": self.head}
        self.settings["future"] = self.future if self.future["weight"] else None
        self.facts = {key: facts[key] for key in ("fps", "gap_s", "image_px", "mixture", "quantizer") if key in facts}
        self.model = LatentModel(**self.settings)
        if self.init_from is not None:
            inherit_latents(self.model, Path(self.init_from), self.settings, facts.get("quantizer"))

    def training_step(self, batch: LatentStep, _: int) -> Tensor:
        """Cross-entropy, mean over the k codes; the image decoder's error beside it where there is one."""
        told = self.model(self.see(batch), list(batch.text), batch.codes, batch.gap_s)
        loss = _cross_entropy(told.logits, batch.codes, self.label_smoothing)
        self.log("train/accuracy", _accuracy(told.logits, batch.codes), prog_bar=True)
        if self.model.future is not None:
            error = self._future(told, batch)
            self.log_dict({"train/codes": loss, "train/future": error})
            loss = loss + self.model.future.weight * error
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: LatentStep, _: int) -> None:
        """Loss and accuracy on clips never trained on; what the scores and the probe need is kept."""
        images, texts = self.see(batch), list(batch.text)
        told = self.model(images, texts, batch.codes, batch.gap_s)
        rows = {"val/loss": _cross_entropy(told.logits, batch.codes, 0.0)}
        rows["val/accuracy"] = _accuracy(told.logits, batch.codes)
        if self.model.future is not None:
            rows["val/future"] = self._future(told, batch)
        self.log_dict(rows, batch_size=len(batch.codes), prog_bar=True, sync_dist=True)
        self.tallies.append(tally(told.logits, batch.codes, batch.before))
        if batch.change.shape[1]:
            hidden = self.model.hidden(images, texts, batch.gap_s)
            self.readings.append(reading(hidden, batch.change, list(batch.key)))

    def on_validation_epoch_end(self) -> None:
        """Every score beside what needs no policy; the probe is left out where too few clips know their state."""
        rows = scores(self.tallies)
        self.log("val/majority", rows.pop("val/majority"), prog_bar=True, sync_dist=True)
        self.log_dict(rows, sync_dist=True)
        found = probe(self.readings) if self.readings else None
        if found is not None:
            self.log("val/probe_r2", found, prog_bar=True, sync_dist=True)
        self.tallies.clear()
        self.readings.clear()

    def export(self, folder: Path) -> Settings:
        """Weights and settings; returns the facts for the manifest."""
        checkpoint.save(folder, self.model, {"model": self.settings, "facts": self.facts, "kind": "latent"})
        return self.facts | {key: self.settings[key] for key in ("num_codes", "codes_per_step", "cameras", "gaps_s")}

    def _future(self, told: Foretold, batch: LatentStep) -> Tensor:
        """The pictures themselves, not as they are shifted for the trunk: what follows is not shifted either."""
        assert self.model.future is not None
        return self.model.future.loss(told.hidden, batch.images[self.model.cameras[0]], batch.after)


def _cross_entropy(logits: Tensor, codes: Tensor, smoothing: float) -> Tensor:
    rows, truth = rearrange(logits.float(), "b k n -> (b k) n"), rearrange(codes, "b k -> (b k)")
    return nn.functional.cross_entropy(rows, truth, label_smoothing=smoothing)


def _accuracy(logits: Tensor, codes: Tensor) -> Tensor:
    return (logits.argmax(dim=-1) == codes).float().mean()
