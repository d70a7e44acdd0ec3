"""Two frames in, what the decoder has to predict out: flow, drift, residual or pixels, each with a scale of its own."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from quantizer.blocks import patchify
from quantizer.motion import Motion

MOMENTUM = 0.99  # of the running mean square; about the last hundred batches


class Target(nn.Module):
    """What the decoder predicts, in units where predicting nothing (a copy of the first frame) costs about 1.

    `weight` is its share of the loss. Subclasses give `channels` (numbers a patch) and `change`.
    """

    mean_square: Tensor
    channels: int

    def __init__(self, *, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.register_buffer("mean_square", torch.zeros(()))

    def change(self, before: Tensor, after: Tensor, motion: Motion) -> Float[Tensor, "b n c"]:
        """The raw quantity: zero where nothing happened."""
        raise NotImplementedError

    @torch.no_grad()
    def forward(self, before: Tensor, after: Tensor, motion: Motion) -> Float[Tensor, "b n c"]:
        """The quantity divided by its running root mean square (updated while training)."""
        change = self.change(before, after, motion)
        if self.training:
            now = change.square().mean()
            self.mean_square.copy_(now if self.mean_square == 0 else torch.lerp(now, self.mean_square, MOMENTUM))
        return change / self.scale

    @property
    def scale(self) -> Float[Tensor, ""]:
        return self.mean_square.sqrt().clamp_min(1e-4)  # below a fortieth of an eight-bit step: nothing moved at all


class Flow(Target):
    """The displacement of each patch (down, right), by block matching."""

    channels = 2

    def change(self, before: Tensor, after: Tensor, motion: Motion) -> Float[Tensor, "b n c"]:
        return motion.flow


class Drift(Target):
    """The displacement of all that moves; every quantizer has this target.

    It is read by a linear map from the codes alone, which keeps them free of where in the picture things happen.
    """

    channels = 2

    def change(self, before: Tensor, after: Tensor, motion: Motion) -> Float[Tensor, "b n c"]:
        return motion.drift[:, None]


class Residual(Target):
    """The change of the pixels, after − before."""

    def __init__(self, *, weight: float, patch_px: int) -> None:
        super().__init__(weight=weight)
        self.patch_px, self.channels = patch_px, 3 * patch_px**2

    def change(self, before: Tensor, after: Tensor, motion: Motion) -> Float[Tensor, "b n c"]:
        return patchify(after - before, self.patch_px)

    def paint(self, before: Float[Tensor, "b n c"], prediction: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """The second frame's patches, given the first's and the decoder's answer."""
        return before + prediction * self.scale


class Pixels(Residual):
    """The second frame itself, as LAPA published: the plain squared error, whatever the motion's size."""

    def change(self, before: Tensor, after: Tensor, motion: Motion) -> Float[Tensor, "b n c"]:
        return patchify(after, self.patch_px)

    def paint(self, before: Float[Tensor, "b n c"], prediction: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        return prediction * self.scale
