"""What the two Lightning modules of this room share: settings, pictures as the model wants them, the optimiser."""

from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.distributed.fsdp import register_fsdp_forward_method

from lapa.optimiser import Schedule, configure, number_by_group, number_by_model, parameter_groups, places
from lapa.records import Demo, LatentStep
from lapa.scale import divide
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
    entrances: tuple[str, ...]  # the model's methods, besides `forward`, that training calls

    def __init__(
        self, *, backbone: Mapping[str, Any], head: Mapping[str, Any], init_from: str | None, shift_px: int,
        lr: Mapping[str, float], weight_decay: float, betas: tuple[float, float], warmup_steps: int, lr_end: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.backbone, self.head, self.init_from, self.shift_px = plain(backbone), plain(head), init_from, shift_px
        self.schedule = Schedule(dict(lr), weight_decay, (betas[0], betas[1]), warmup_steps, lr_end)
        self.settings: Settings = {}
        self._look: Any = None  # the hook that measures
        self.beside_words = 0  # tokens of a sample that are no words

    def setup(self, stage: str) -> None:
        """A film's words may be as long as they like: the end of long ones is not read."""
        self.model.trunk.backbone.words.cut = True

    def configure_model(self) -> None:
        """On every rank, before the strategy looks at the weights: freeze those whose rate is 0, as DDP waits for the
        gradient of all others; divide them where it divides.

        `setup_from` has built the model, from the same seed on every rank.
        """
        parameter_groups(self.groups(), self.schedule)
        if self.device_mesh is not None and not any(hasattr(each, "full_tensor") for each in self.model.parameters()):
            divide(self.model, self.blocks(), self.device_mesh["data_parallel"])
            for name in self.entrances:
                register_fsdp_forward_method(self.model, name)

    def on_save_checkpoint(self, checkpoint: Settings) -> None:
        """Optimiser states that any number of ranks can take up."""
        if self.device_mesh is None:
            number_by_model(checkpoint["optimizer_states"], self._places())

    def on_load_checkpoint(self, checkpoint: Settings) -> None:
        """Take them up."""
        if self.device_mesh is None:
            number_by_group(checkpoint["optimizer_states"], self._places())

    def parts(self) -> list[nn.Module]:
        """What torch.compile is for: the blocks, each by itself, as they are alike; the rest is little work."""
        return self.blocks()

    def blocks(self) -> list[nn.Module]:
        """What repeats, and holds most weights and activations."""
        return self.model.trunk.blocks()

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Every parameter once, by the name of its learning rate."""
        groups = self.model.trunk.backbone.parameter_groups()
        inside = {id(p) for members in groups.values() for p in members}
        return groups | {"head": [p for p in self.model.parameters() if id(p) not in inside]}

    def on_train_start(self) -> None:
        """See once how long the sequence is: only the backbone knows what becomes of its pictures."""
        self._look = self.blocks()[-1].register_forward_pre_hook(self._measure)

    def tokens(self, batch: LatentStep | Demo) -> int:
        """How many tokens of a batch just trained on went through the blocks: words, pictures, queries, no padding."""
        words = self.model.trunk.backbone.tokenise(list(batch.text), torch.device("cpu"))
        if self._look is not None:
            self._look.remove()
            self._look, self.beside_words = None, self.beside_words - words.mask.shape[1]
        return int(words.mask.sum()) + len(words.mask) * self.beside_words

    def _places(self) -> list[list[int]]:
        return places(parameter_groups(self.groups(), self.schedule), self)

    def _measure(self, _: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        self.beside_words = arguments[0].shape[1]

    def see(self, batch: LatentStep | Demo) -> Tensor:
        """Pictures in the model's order; shifted a little while training."""
        images = stack_cameras(batch.images, self.model.cameras)
        return shift(images, max_px=self.shift_px) if self.training else images

    def configure_optimizers(self) -> Any:
        """AdamW; vision, language and head have rates of their own."""
        return configure(self.groups(), self.schedule, self.trainer.max_steps)
