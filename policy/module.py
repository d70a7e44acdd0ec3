"""What the two Lightning modules of this room share: settings, pictures as the model wants them, the optimiser."""

from collections.abc import Mapping
from typing import Any

import lightning as L
from omegaconf import OmegaConf
from torch import Tensor

from lapa.optimiser import Schedule, configure
from lapa.records import Demo, LatentStep
from policy.augment import shift
from policy.trunk import stack_cameras

Settings = dict[str, Any]


def plain(settings: Mapping[str, Any]) -> Settings:
    """Configuration as JSON-able dicts, as it lies in a checkpoint."""
    container = OmegaConf.to_container(OmegaConf.create(dict(settings)), resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


class PolicyModule(L.LightningModule):
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
