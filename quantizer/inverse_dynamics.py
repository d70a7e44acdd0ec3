"""Two frames in, the robot's actions between them out: the supervised twin of the quantizer (VPT, UniPi), and its training."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn import functional as F

from lapa import checkpoint
from quantizer.actions import ActionPair
from quantizer.blocks import to_unit
from quantizer.model import Encoder
from quantizer.module import ALLOWED
from quantizer.motion import BlockMatching
from quantizer.probe import r_squared

Images = UInt8[Tensor, "b 3 h w"]
FROM_DATA = (
    "embodiment",
    "action_names",
    "absolute",
    "action_steps",
    "statistics",
)  # settings that demonstrations give


class InverseDynamics(nn.Module):
    """Frame pairs → the n actions between them, relative to the state at the first frame, in the embodiment's units.

    The quantizer's encoder with another end: `num_queries` queries, each read as `dim_query` numbers, then one linear map.
    Actions of `absolute` are told as they are. Statistics (mean and deviation [n, d]) lie in settings.json.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, *, image_px: int, patch_px: int, dim: int, depth: int, num_heads: int, num_queries: int, dim_query: int,
        motion: BlockMatching, embodiment: str, action_names: Sequence[str], absolute: Sequence[str], action_steps: int,
        statistics: Mapping[str, Any],
    ) -> None:  # fmt: skip
        super().__init__()
        if image_px != patch_px * motion.grid:
            raise ValueError(f"image_px {image_px} must be patch_px {patch_px} × the motion's grid {motion.grid}")
        self.image_px, self.motion, self.action_steps = image_px, motion, action_steps
        self.action_names, self.absolute, self.embodiment = tuple(action_names), tuple(absolute), embodiment
        self.encoder = Encoder(
            patch_px=patch_px, grid=motion.grid, dim=dim, depth=depth, num_heads=num_heads, codes_per_step=num_queries,
            dim_code=dim_query,
        )  # fmt: skip
        self.to_actions = nn.Sequential(
            nn.GELU(), nn.Linear(num_queries * dim_query, action_steps * len(self.action_names))
        )
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(statistics[name], dtype=torch.float32), persistent=False)

    def forward(self, before: Images, after: Images) -> Float[Tensor, "b n d"]:
        """Normalised actions: what training compares with `normalise`d demonstrations."""
        if before.shape[-2:] != (self.image_px, self.image_px):
            raise ValueError(
                f"frames are {tuple(before.shape[-2:])}; this model reads {self.image_px} × {self.image_px}"
            )
        first, second = to_unit(before), to_unit(after)
        found = rearrange(self.encoder(first, second, self.motion(first, second)), "b k d -> b (k d)")
        return rearrange(self.to_actions(found), "b (n d) -> b n d", n=self.action_steps).float()

    def normalise(self, actions: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Own units → zero mean, unit deviation at each step of the chunk."""
        return (actions - self.mean) / self.std

    def actions(self, before: Images, after: Images) -> Float[Tensor, "b n d"]:
        """Relative actions in the embodiment's units."""
        return self(before, after) * self.std + self.mean


class InverseDynamicsModule(L.LightningModule):
    """Trains what `settings` describe, completed by the demonstrations' names and statistics.

    Logs on unseen demonstrations R² (0 is predicting their mean, 1 is exact) and each action's mean absolute error.
    """

    model: InverseDynamics

    def __init__(
        self, *, settings: Mapping[str, Any], lr: float, betas: tuple[float, float], weight_decay: float,
        warmup_steps: int, lr_end: float,
    ) -> None:  # fmt: skip
        super().__init__()
        plain = OmegaConf.to_container(OmegaConf.create(dict(settings)), resolve=True)
        assert isinstance(plain, dict)
        self.settings: dict[str, Any] = {str(key): value for key, value in plain.items()}
        self.lr, self.betas, self.weight_decay = lr, (betas[0], betas[1]), weight_decay
        self.warmup_steps, self.lr_end = warmup_steps, lr_end
        self.facts: dict[str, Any] = {}
        self.seen: list[tuple[Tensor, Tensor]] = []  # predicted and true actions of validation batches, own units

    def setup_from(self, facts: Mapping[str, Any]) -> None:
        """Take names and statistics of the demonstrations; ValueError when their pictures are of another size."""
        if facts["image_px"] != self.settings["image_px"]:
            raise ValueError(
                f"the demonstrations are {facts['image_px']} px; this model reads image_px={self.settings['image_px']}"
            )
        self.settings |= {key: facts[key] for key in FROM_DATA}
        self.facts = {key: facts[key] for key in ("fps", "gap_s")}

    def configure_model(self) -> None:
        """Build once."""
        if not hasattr(self, "model"):
            self.model = checkpoint.build(self.settings, allowed=ALLOWED)

    def training_step(self, batch: ActionPair, _: int) -> Tensor:
        """Mean squared error of normalised actions."""
        loss = F.mse_loss(self.model(batch.before, batch.after), self.model.normalise(batch.actions))
        self.log("train/loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: ActionPair, _: int) -> None:
        """The same; predictions are kept for R²."""
        guess = self.model.actions(batch.before, batch.after)
        loss = F.mse_loss(self.model.normalise(guess), self.model.normalise(batch.actions))
        self.log("val/loss", loss, batch_size=len(guess))
        self.seen.append((guess.cpu(), batch.actions.cpu()))

    def on_validation_epoch_end(self) -> None:
        """R² over all steps and actions that vary; errors one by one, as their units differ."""
        guess, truth = (torch.cat(parts) for parts in zip(*self.seen, strict=True))
        self.seen.clear()
        self.log("val/r2", r_squared(guess.flatten(1), truth.flatten(1)), prog_bar=True)
        errors = (guess - truth).abs().mean((0, 1)).tolist()
        self.log_dict({f"val/error_{name}": error for name, error in zip(self.model.action_names, errors, strict=True)})

    def configure_optimizers(self) -> Any:
        """AdamW; linear warm-up, then a cosine down to `lr_end` of the rate at the trainer's last step."""
        groups = [
            {"params": [p for p in self.parameters() if p.ndim >= 2], "weight_decay": self.weight_decay},
            {"params": [p for p in self.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.lr, betas=self.betas)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def export(self, folder: Path) -> dict[str, Any]:
        """Weights and settings, statistics among them; returns the facts for the manifest."""
        facts = self.facts | {key: self.settings[key] for key in ("image_px", *FROM_DATA)}
        checkpoint.save(folder, self.model, {"model": self.settings, "facts": self.facts})
        return facts

    def _rate(self, step: int) -> float:
        left = (step - self.warmup_steps) / max(1, self.trainer.max_steps - self.warmup_steps)
        cosine = self.lr_end + (1 - self.lr_end) * (1 + math.cos(math.pi * min(1.0, max(0.0, left)))) / 2
        return min(1.0, (step + 1) / max(1, self.warmup_steps)) * cosine
