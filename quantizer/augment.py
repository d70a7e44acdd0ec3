"""Frame pairs in, the same pairs with both frames moved, cropped and lit alike out: what no code should speak of."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class Jitter(nn.Module):
    """Shared by both frames of a pair, drawn anew for each pair; all zero leaves the pair as it is.

    `shift` and `zoom` are shares of the image's side, `brightness` of [0, 1], `contrast` a factor's spread about 1 (per
    colour channel).
    """

    def __init__(self, *, shift: float, zoom: float, brightness: float, contrast: float) -> None:
        super().__init__()
        self.shift, self.zoom, self.brightness, self.contrast = shift, zoom, brightness, contrast

    def forward(
        self, before: Float[Tensor, "b 3 h w"], after: Float[Tensor, "b 3 h w"]
    ) -> tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b 3 h w"]]:
        """Frames in [-0.5, 0.5]; so are the answers."""
        if self.shift or self.zoom:
            grid = self._grid(before)
            before, after = (
                F.grid_sample(x, grid, padding_mode="reflection", align_corners=False) for x in (before, after)
            )
        if self.brightness or self.contrast:
            gain, bias = 1 + self.contrast * self._uniform(before, 3), self.brightness * self._uniform(before, 3)
            before, after = ((x * gain + bias).clamp(-0.5, 0.5) for x in (before, after))
        return before, after

    def _uniform(self, images: Tensor, channels: int) -> Float[Tensor, "b c 1 1"]:
        return 2 * torch.rand(len(images), channels, 1, 1, device=images.device) - 1

    def _grid(self, images: Tensor) -> Float[Tensor, "b h w 2"]:
        scale = 1 - self.zoom * torch.rand(len(images), 1, 1, device=images.device)  # in: the frame's edge may leave it
        move = 2 * self.shift * self._uniform(images, 2)[..., 0]
        turn = torch.cat((scale * torch.eye(2, device=images.device), move), -1)
        return F.affine_grid(turn, list(images.shape), align_corners=False)
