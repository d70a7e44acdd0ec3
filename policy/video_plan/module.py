"""Batches of PlanStep in, a trained video planner out: the Lightning module that learns to imagine what follows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from lapa import checkpoint
from lapa.ranks import summed
from lapa.stage import differences
from policy.augment import shift
from policy.module import PolicyModule, Settings
from policy.trunk import stack_cameras
from policy.video_plan.data import PlanStep
from policy.video_plan.model import KIND, Frames, PlanModel

SAME = ("backbone", "head", "codes_per_step", "cameras", "image_px", "gap_s")  # what weights go by


class VideoPlan(PolicyModule):
    """Learns the pictures that follow from one picture and the words.

    Logs on validation the squared error of what is imagined, as in a rollout, as a share of that of copying the present
    picture (`val/error`, each picture ahead by itself too): above 1, copying is better. `val/error_shuffled`: the same with
    the words of another sample.
    """

    model: PlanModel
    entrances = ("imagine",)

    def __init__(self, *, codes_per_step: int, **common: Any) -> None:
        super().__init__(**common)
        self.codes_per_step = codes_per_step
        self.sums: list[Tensor] = []

    def setup_from(self, facts: Mapping[str, Any]) -> None:
        """Build for the clips; take up the planner `init_from` and its units (ValueError when it does not fit)."""
        self.settings = {key: facts[key] for key in ("cameras", "image_px", "gap_s", "scale")}
        self.settings |= {"backbone": self.backbone, "head": self.head, "codes_per_step": self.codes_per_step}
        self.facts = {"fps": facts["fps"]}
        if self.init_from is not None:
            self.settings["scale"] = _scale_of(Path(self.init_from), self.settings)
        self.model = PlanModel(**self.settings)
        if self.init_from is None:
            self.model.painter.fit(facts["changes"])
        else:
            checkpoint.load_weights(Path(self.init_from), self.model)

    def blocks(self) -> list[nn.Module]:
        """The trunk's and the painter's."""
        return [*super().blocks(), *self.model.painter.blocks()]

    def training_step(self, batch: PlanStep, _: int) -> Tensor:
        """The flow's loss; all pictures of a sample are shifted alike."""
        pictures = torch.cat([stack_cameras(batch.images, self.model.cameras), batch.frames], dim=1)
        together = rearrange(pictures, "b n c h w -> b 1 (n c) h w")
        moved = rearrange(shift(together, max_px=self.shift_px), "b 1 (n c) h w -> b n c h w", c=3)
        loss = self.model(moved[:, :1], list(batch.text), moved[:, 1:], batch.exist)
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: PlanStep, _: int) -> None:
        """Squared errors of the imagined pictures with the right words, with the neighbour's, and of copying."""
        images, texts = stack_cameras(batch.images, self.model.cameras), list(batch.text)
        imagined, astray = (self.model.imagine(images, words) for words in (texts, texts[1:] + texts[:1]))
        copied = images.expand_as(batch.frames)
        self.sums.append(torch.stack([squared_error(guess, batch) for guess in (imagined, astray, copied)]))

    def on_validation_epoch_end(self) -> None:
        """Shares of copying's error, over what all ranks saw."""
        imagined, astray, copied = summed(torch.stack(self.sums).sum(dim=0))
        self.sums.clear()
        self.log("val/error", imagined.sum() / copied.sum(), prog_bar=True, sync_dist=True)
        self.log("val/error_shuffled", astray.sum() / copied.sum(), prog_bar=True, sync_dist=True)
        seen = [i for i, error in enumerate(copied.tolist()) if error > 0]  # clips may be too short for the last ones
        self.log_dict({f"val/error_{i + 1}": imagined[i] / copied[i] for i in seen}, sync_dist=True)

    def export(self, folder: Path) -> Settings:
        """Weights and settings; returns the facts for the manifest."""
        checkpoint.save(folder, self.model, {"model": self.settings, "facts": self.facts, "kind": KIND})
        return self.facts | {key: self.settings[key] for key in ("cameras", "image_px", "gap_s", "scale")}


def squared_error(guess: Frames, batch: PlanStep) -> Float[Tensor, "n"]:
    """Summed over the batch, mean over the pixels, of each picture ahead that exists."""
    errors = (guess.float() - batch.frames.float()).square().mean(dim=(2, 3, 4))
    return torch.where(batch.exist, errors, 0.0).sum(dim=0)


def _scale_of(folder: Path, settings: Settings) -> list[float]:
    """The units of the planner in `folder`; ValueError when it is another network or sees otherwise."""
    saved = checkpoint.load_settings(folder)
    if saved.get("kind") != KIND:
        raise ValueError(f"{folder} holds a model of kind {saved.get('kind')!r}; init_from takes {KIND}")
    faults = [row for key in SAME for row in differences(saved["model"][key], settings[key], key)]
    faults += differences(len(saved["model"]["scale"]), len(settings["scale"]), "num_frames")
    if faults:
        raise ValueError(f"{folder} is another planner (there → here): {'; '.join(faults[:6])}")
    return saved["model"]["scale"]
