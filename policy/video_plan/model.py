"""The network that is saved and loaded: pictures and words → the n pictures that follow, one every `gap_s`."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from lapa import checkpoint
from policy.trunk import ALLOWED, Trunk

Pictures = UInt8[Tensor, "b 1 3 h w"]  # of the only camera
Frames = UInt8[Tensor, "b n 3 h w"]
KIND = "video_plan"  # in settings.json


class PlanModel(nn.Module):
    """The trunk of every arm, and a painter that reads its k states.

    scale: root mean square change of a pixel after 1 … n gaps, as a share of the full brightness: the painter's unit.
    """

    unit: Tensor

    def __init__(
        self, *, backbone: Mapping[str, Any], head: Mapping[str, Any], codes_per_step: int, cameras: Sequence[str],
        image_px: int, gap_s: float, scale: Sequence[float],
    ) -> None:  # fmt: skip
        super().__init__()
        self.cameras, self.image_px, self.gap_s, self.num_frames = tuple(cameras), image_px, gap_s, len(scale)
        self.trunk = Trunk(backbone=backbone, codes_per_step=codes_per_step)
        sizes = {"width": self.trunk.backbone.width, "codes_per_step": codes_per_step}
        sizes |= {"image_px": image_px, "num_frames": len(scale)}
        self.painter = checkpoint.build(head, allowed=ALLOWED)(**sizes)
        self.register_buffer("unit", torch.tensor(scale)[:, None, None, None], persistent=False)

    def forward(
        self, images: Pictures, texts: list[str], frames: Frames, exist: Bool[Tensor, "b n"]
    ) -> Float[Tensor, ""]:
        """The painter's loss; copying the present picture would have 1."""
        now = images.float() / 255
        wanted = (frames.float() / 255 - now) / self.unit
        return self.painter.loss(self.trunk(images, texts), 2 * now[:, 0] - 1, wanted, exist)

    def imagine(self, images: Pictures, texts: list[str]) -> Frames:
        """What follows, as eight-bit pictures: inverse dynamics reads them as it reads a camera's."""
        now = images.float() / 255
        change = self.painter.act(self.trunk(images, texts), 2 * now[:, 0] - 1)
        return (255 * (now + change * self.unit)).round().clamp(0, 255).to(torch.uint8)
