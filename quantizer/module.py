"""Batches of FramePair in, a trained quantizer folder out: loss, optimiser, and what is logged beside the loss."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh

from lapa import checkpoint
from lapa.ranks import gathered
from lapa.records import FramePair
from lapa.scale import divide
from quantizer.bottlenecks import Nsvq
from quantizer.model import Quantizer, perplexity
from quantizer.probe import linear_probe, one_hot
from quantizer.sample import episode_number
from quantizer.training import PairTraining


class QuantizerModule(PairTraining):
    """Trains the quantizer that `settings` describe (built in `configure_model`, when the library knows the ranks).

    Logs each target's error with codes and without (`_free`; 1.0 is copying the first frame), perplexity, and on
    validation `motion_r2`: how much of the frame's mean motion a linear probe reads from the codes of unseen clips.
    """

    model: Quantizer

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.seen: list[tuple[Tensor, Tensor, Tensor]] = []  # codes, mean motion, clip number of validation batches

    def setup_from(self, facts: Mapping[str, Any]) -> None:
        """Keep what the clips say of themselves (fps, gap_s); ValueError when their size is another."""
        image_px = facts.get("image_px", self.settings["image_px"])
        if image_px != self.settings["image_px"]:
            raise ValueError(f"the clips are {image_px} px; this quantizer reads image_px={self.settings['image_px']}")
        labels = self.settings["targets"]["labels"]
        if labels["weight"] and not labels["size"]:
            labels["size"] = facts["label_size"]
        if labels["weight"] and not labels["size"]:
            raise ValueError(
                "targets.labels.weight is set, but these clips have no labels: see label_percent, labels_of"
            )
        self.facts = {key: facts[key] for key in ("fps", "gap_s") if key in facts}

    def configure_model(self) -> None:
        """Build once, on the ranks; where the strategy divides weights over them, divide."""
        built = hasattr(self, "model")
        super().configure_model()
        if not built and self.device_mesh is not None:
            self._divide(self.device_mesh["data_parallel"])

    def parts(self) -> list[nn.Module]:
        """What torch.compile is for: all but block matching and bottleneck."""
        return [self.model.encoder, self.model.decoder]

    def blocks(self) -> list[nn.Module]:
        """What repeats, and holds most weights and activations."""
        return [block for part in (self.model.encoder, self.model.decoder) for block in part.transformer.blocks]

    def training_step(self, batch: FramePair, _: int) -> Tensor:
        """Weighted sum of the targets' errors and the bottleneck's loss."""
        outcome = self.model(batch.before, batch.after, None, batch.label)
        loss = self.model.loss(outcome)
        rows = {f"train/{name}": error.mean() for name, error in outcome.errors.items()}
        rows |= {
            "train/perplexity": perplexity(outcome.codes, self.model.num_codes),
            "train/commitment": outcome.commitment,
        }
        self.log("train/loss", loss, prog_bar=True)
        self.log_dict(rows)
        return loss

    def validation_step(self, batch: FramePair, _: int) -> None:
        """Errors with codes and without; codes and motion are kept for the probe."""
        all_hidden = torch.ones(len(batch.before), dtype=torch.bool, device=batch.before.device)
        outcome, free = (
            self.model(batch.before, batch.after, hidden, batch.label) for hidden in (~all_hidden, all_hidden)
        )
        rows = {f"val/{name}": error.mean() for name, error in outcome.errors.items()}
        rows |= {f"val/{name}_free": error.mean() for name, error in free.errors.items()}
        self.log_dict(rows | {"val/loss": self.model.loss(outcome)}, batch_size=len(batch.before), sync_dist=True)
        clips = torch.tensor([episode_number(key) for key in batch.key], device=self.device)
        self.seen.append((outcome.codes, self.model.motions(batch.before, batch.after).drift, clips))

    def on_validation_epoch_end(self) -> None:
        """Code use beside the probe, on what all ranks saw: neither means anything alone."""
        codes, motion, clips = (gathered(torch.cat(parts)).cpu() for parts in zip(*self.seen, strict=True))
        self.seen.clear()
        num_codes = self.model.num_codes
        rows = {"val/perplexity": perplexity(codes, num_codes)}
        if len(clips.unique()) >= 4:
            rows["val/motion_r2"] = linear_probe(one_hot(codes, num_codes), motion, clips)
        self.log_dict(rows, prog_bar=True, sync_dist=True)
        self.log("val/codes_used", float(len(codes.unique())), sync_dist=True)

    def export(self, folder: Path) -> dict[str, Any]:
        """Write weights and settings; the facts go to the manifest."""
        facts = {"num_codes": self.model.num_codes, "codes_per_step": self.model.codes_per_step, **self.facts}
        facts["image_px"] = self.model.image_px
        checkpoint.save(folder, self.model, {"model": self.settings, "facts": facts})
        return facts

    def _divide(self, mesh: DeviceMesh) -> None:
        if self.model.copies or isinstance(self.model.bottleneck, Nsvq):
            raise ValueError(
                "the target ema and the bottleneck nsvq write to weights, which must be whole: trainer=ddp"
            )
        divide(self.model, self.blocks(), mesh)
