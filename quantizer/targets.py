"""Two frames in, what has to be predicted of them out: motion, pixels, features, labels, each with a scale of its own."""

from copy import deepcopy
from typing import NamedTuple

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lapa.ranks import mean_over_ranks
from quantizer.blocks import patchify
from quantizer.features import FrozenEncoder
from quantizer.motion import Motion

MOMENTUM = 0.99  # of the running mean square; about the last hundred batches


class Seen(NamedTuple):
    """All that may be asked about a batch of pairs. Frames are in [-0.5, 0.5]."""

    before: Float[Tensor, "b 3 h w"]
    after: Float[Tensor, "b 3 h w"]
    motion: Motion
    label: Float[Tensor, "b m"] | None  # true change of the state; NaN where nobody labelled


class Target(nn.Module):
    """What is predicted, in units where predicting nothing (a copy of the first frame) costs about 1.

    `weight` is its share of the loss; a target of weight 0 is left out of the model. Subclasses give `outputs` (numbers
    that are answered for each patch, or once for the pair when it is read `from_codes`) and `change`.
    """

    mean_square: Tensor
    outputs: int
    from_codes = False  # read by a linear map of the codes alone, instead of by the decoder for each patch

    def __init__(self, *, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.register_buffer("mean_square", torch.zeros(()))

    def change(self, seen: Seen) -> Float[Tensor, "b n c"]:
        """The raw quantity: zero where nothing happened, NaN where it is not known."""
        raise NotImplementedError

    def read(self, answer: Float[Tensor, "b n o"], arrives: Float[Tensor, "b n p"]) -> Float[Tensor, "b n c"]:
        """The decoder's answer in the units of `forward`. `arrives`: what moving the first frame by its drift changes."""
        return answer

    @torch.no_grad()
    def forward(self, seen: Seen) -> Float[Tensor, "b n c"]:
        """The quantity divided by its running root mean square over all ranks (updated while training)."""
        change = self.change(seen).float()  # a frozen encoder under autocast answers in bf16
        if self.training:
            now = self.measure(change)
            self.mean_square.copy_(torch.where(self.mean_square == 0, now, torch.lerp(now, self.mean_square, MOMENTUM)))
        return change / self.scale

    def measure(self, change: Float[Tensor, "b n c"]) -> Tensor:
        """This batch's mean square, over all ranks."""
        return mean_over_ranks(change.square().mean())

    @property
    def scale(self) -> Tensor:
        return self.mean_square.sqrt().clamp_min(1e-4)  # below a fortieth of an eight-bit step: nothing moved at all


class Flow(Target):
    """The displacement of each patch (down, right), by block matching: LAOF's supervision without a learnt flow network."""

    outputs = 2

    def change(self, seen: Seen) -> Float[Tensor, "b n c"]:
        return seen.motion.flow


class Drift(Target):
    """The displacement of all that moves; every quantizer has this target.

    It is read by a linear map from the codes alone, which keeps them free of where in the picture things happen.
    """

    outputs, from_codes = 2, True

    def change(self, seen: Seen) -> Float[Tensor, "b n c"]:
        return seen.motion.drift[:, None]


class Votes(Target):
    """How much of the picture went which way, read from the codes alone: where the drift is a mean, this tells movers apart.

    `side`² numbers, those of `votes.ballot`.
    """

    from_codes = True

    def __init__(self, *, weight: float, side: int) -> None:
        super().__init__(weight=weight)
        self.outputs = side**2

    def change(self, seen: Seen) -> Float[Tensor, "b n c"]:
        return seen.motion.votes[:, None]


class Coarse(Target):
    """The change of the picture shrunk to side × side cells: which parts of the picture change, and to what.

    Also read from the codes alone. Drift says how a mover goes, this says which one: with two arms in view the joints'
    changes are hardly to be told from drift.
    """

    from_codes = True

    def __init__(self, *, weight: float, side: int) -> None:
        super().__init__(weight=weight)
        self.side, self.outputs = side, 3 * side**2

    def change(self, seen: Seen) -> Float[Tensor, "b n c"]:
        cells = F.adaptive_avg_pool2d((seen.after - seen.before).float(), self.side)
        return rearrange(cells, "b c h w -> b 1 (c h w)")


class Labels(Target):
    """The true change of the state, for the few pairs that have it (LAOM: 2.5 % of labels make four times the success).

    `size` numbers, each with a scale of its own; 0 takes as many as the clips have.
    """

    from_codes = True

    def __init__(self, *, weight: float, size: int) -> None:
        super().__init__(weight=weight)
        self.outputs = size
        self.register_buffer("mean_square", torch.zeros(size))

    def change(self, seen: Seen) -> Float[Tensor, "b n c"]:
        if seen.label is None:
            return seen.before.new_full((len(seen.before), 1, self.outputs), torch.nan)
        if seen.label.shape[-1] != self.outputs:
            raise ValueError(f"labels have {seen.label.shape[-1]} numbers; this quantizer was built for {self.outputs}")
        return seen.label[:, None]

    def measure(self, change: Float[Tensor, "b n c"]) -> Tensor:
        """Of the labelled pairs of all ranks; what stood before when there is none."""
        share = mean_over_ranks(change.isfinite().float().mean((0, 1)))
        total = mean_over_ranks(change.square().nansum((0, 1)) / len(change))
        return torch.where(share > 0, total / share.clamp_min(1e-9), self.mean_square)


class Residual(Target):
    """The change of the pixels, after − before.

    The decoder answers how much of what arrives is to be seen at each pixel, and a free change: so a mover need not be
    painted anew from a few numbers.
    """

    def __init__(self, *, weight: float, patch_px: int) -> None:
        super().__init__(weight=weight)
        self.patch_px, self.outputs = patch_px, 4 * patch_px**2

    def read(self, answer: Float[Tensor, "b n o"], arrives: Float[Tensor, "b n p"]) -> Float[Tensor, "b n c"]:
        """Free change and gated arrival."""
        gate, free = answer[..., : self.patch_px**2], answer[..., self.patch_px**2 :]
        return free + repeat(gate, "b n p -> b n (c p)", c=3) * arrives / self.scale

    def change(self, seen: Seen) -> Float[Tensor, "b n c"]:
        return patchify(seen.after - seen.before, self.patch_px)

    def paint(self, before: Float[Tensor, "b n c"], prediction: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """The second frame's patches, given the first's and the decoder's answer."""
        return before + prediction * self.scale


class Pixels(Residual):
    """The second frame itself, as LAPA published: the plain squared error, whatever the motion's size."""

    def change(self, seen: Seen) -> Float[Tensor, "b n c"]:
        return patchify(seen.after, self.patch_px)

    def paint(self, before: Float[Tensor, "b n c"], prediction: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        return prediction * self.scale


class Features(Target):
    """The change of a frozen encoder's features on a grid × grid of cells: what is there, rather than how bright it is."""

    def __init__(self, *, weight: float, grid: int, encoder: FrozenEncoder) -> None:
        super().__init__(weight=weight)
        self.grid, self.encoder, self.outputs = grid, encoder, encoder.channels

    def change(self, seen: Seen) -> Float[Tensor, "b n c"]:
        features = self.encoder(torch.cat((seen.before, seen.after)).float())
        cells = F.interpolate(features, size=(self.grid, self.grid), mode="area")
        first, second = F.layer_norm(rearrange(cells, "b c h w -> b (h w) c"), [self.outputs]).chunk(2)
        return second - first


class Ema(Target):
    """The change of our own encoder's patch tokens, seen by a slow copy of it (LAOM): needs no weights from elsewhere."""

    slow: nn.Module

    def __init__(self, *, weight: float, dim: int, momentum: float) -> None:
        super().__init__(weight=weight)
        self.outputs, self.momentum = dim, momentum

    def bind(self, encoder: nn.Module) -> None:
        """Take the copy that follows."""
        self.slow = deepcopy(encoder).requires_grad_(False)

    def follow(self, encoder: nn.Module) -> None:
        """One step towards the encoder."""
        for slow, fast in zip(self.slow.parameters(), encoder.parameters(), strict=True):
            slow.data.lerp_(fast.data, 1 - self.momentum)

    def change(self, seen: Seen) -> Float[Tensor, "b n c"]:
        first, second = self.slow.describe(torch.cat((seen.before, seen.after))).float().chunk(2)  # type: ignore[operator]
        return second - first
