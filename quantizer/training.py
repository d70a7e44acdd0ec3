"""Settings of a model of frame pairs in, the part of its Lightning module that every such model shares out."""

from collections.abc import Mapping
from typing import Any

import lightning as L
from omegaconf import OmegaConf
from torch import nn

from lapa import checkpoint
from lapa.optimiser import Schedule, configure

ALLOWED = ("quantizer.",)


class PairTraining(L.LightningModule):
    """Builds the model that `settings` describe (in `configure_model`, when the library knows the ranks); AdamW trains it."""

    model: Any

    def __init__(
        self, *, settings: Mapping[str, Any], lr: float, betas: tuple[float, float], weight_decay: float,
        warmup_steps: int, lr_end: float,
    ) -> None:  # fmt: skip
        super().__init__()
        plain = OmegaConf.to_container(OmegaConf.create(dict(settings)), resolve=True)
        assert isinstance(plain, dict)
        self.settings: dict[str, Any] = {str(key): value for key, value in plain.items()}
        self.schedule = Schedule({"all": lr}, weight_decay, (betas[0], betas[1]), warmup_steps, lr_end)
        self.facts: dict[str, Any] = {}

    def configure_model(self) -> None:
        """Build once."""
        if not hasattr(self, "model"):
            self.model = checkpoint.build(self.settings, allowed=ALLOWED)

    def configure_optimizers(self) -> Any:
        """Warm-up, then a cosine; what is frozen (the slow copy of the target `ema`) stays so."""
        trained: list[nn.Parameter] = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return configure({"all": trained}, self.schedule, self.trainer.max_steps)
