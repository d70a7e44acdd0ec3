"""Hidden states of the k queries and the present picture in, pictures that follow out: a flow over their changes' components."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from einops import einsum
from jaxtyping import Bool, Float
from torch import Tensor, nn

from policy.heads.flow import FlowHead

Changes = Float[Tensor, "m 3 h w"]


class ComponentPainter(nn.Module):
    """How the next n pictures differ from the present one, as a sum of `num_components` fixed pictures.

    These are the principal components of changes that training clips show (eigenpictures; Sirovich & Kirby 1987); their
    amounts are given by the same flow head as actions are, which reads the states and the present picture's own amounts.
    128 components keep four fifths of what changes in the tool's videos, and the actions read from them are off by a fifth;
    a transformer over patches with noise in every pixel had not learnt to paint the arm in the same number of steps
    (docs/log.md).
    """

    components: Tensor
    deviation: Tensor

    def __init__(
        self, *, width: int, codes_per_step: int, image_px: int, num_frames: int, num_components: int,
        num_examples: int, flow: Mapping[str, Any],
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_examples = num_examples
        self.register_buffer("components", torch.zeros(num_components, 3, image_px, image_px))
        self.register_buffer("deviation", torch.ones(()))  # of a component's amount, over all of them
        sizes = {"state_dim": num_components, "action_dim": num_components, "chunk_steps": num_frames}
        self.flow = FlowHead(width=width, codes_per_step=codes_per_step, statistics={}, **sizes, **flow)

    def blocks(self) -> list[nn.Module]:
        """None that would be worth dividing."""
        return []

    def fit(self, changes: Callable[[int], Changes]) -> None:
        """Take the components from about `num_examples` changes; ValueError when there are fewer than components."""
        seen = changes(self.num_examples).flatten(1)
        count = len(self.components)
        if len(seen) < count:
            raise ValueError(f"{len(seen)} changes of pictures are too few for num_components={count}")
        squares, mixes = torch.linalg.eigh(seen @ seen.T)  # fewer examples than pixels: of m × m, not of h w × h w
        largest = mixes[:, -count:].flip(1)
        found = torch.linalg.qr(seen.T @ largest).Q.T  # at right angles also where pictures change in fewer ways
        self.components.copy_(found.reshape(self.components.shape))
        self.deviation.copy_((squares[-count:].sum() / (len(seen) * count)).sqrt())

    def loss(
        self, hidden: Float[Tensor, "b k d"], now: Float[Tensor, "b 3 h w"], wanted: Float[Tensor, "b n 3 h w"],
        exist: Bool[Tensor, "b n"],
    ) -> Float[Tensor, ""]:  # fmt: skip
        """The flow's; where `exist` is false nothing is learnt."""
        amounts = self.amounts(wanted)
        return self.flow.loss(hidden, self.amounts(now), amounts, exist[:, :, None].expand_as(amounts))

    def act(self, hidden: Float[Tensor, "b k d"], now: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n 3 h w"]:
        """Where the flow ends; the same for the same input, whatever else is in the batch."""
        amounts = self.flow.act(hidden, self.amounts(now)) * self.deviation
        return einsum(amounts, self.components, "b n q, q c h w -> b n c h w")

    def amounts(self, pictures: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b q"]:
        """How much of each component is in a picture, or in a change, in deviations."""
        with torch.autocast(pictures.device.type, enabled=False):  # sums of thousands of pixels
            return einsum(pictures.float(), self.components, "... c h w, q c h w -> ... q") / self.deviation
