"""What a vision-language network must offer to carry a policy: pixels, words, queries in, hidden states out."""

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, device, nn


class Words(NamedTuple):
    """Tokenised instructions, padded on the right; `mask` is true where a token is real."""

    ids: Int64[Tensor, "b w"]
    mask: Bool[Tensor, "b w"]


@runtime_checkable
class Backbone(Protocol):
    """The five needs. Every backbone is an nn.Module; a new one is a file in policy/backbones and a yaml."""

    width: int  # of the hidden states, and of the queries it is given

    def tokenise(self, texts: list[str], device: device) -> Words:
        """Instructions → tokens on `device`; empty text is allowed."""

    def prepare(self, images: UInt8[Tensor, "b c 3 h w"]) -> Tensor:
        """Pixels of c cameras in [0, 255] → what `forward` takes, on the same device."""

    def forward(self, pixels: Tensor, words: Words, queries: Float[Tensor, "b q d"]) -> Float[Tensor, "b q d"]:
        """Hidden states of `queries`, which follow words and images and see each other causally."""

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Every parameter once, under "vision" or "language": a group has its own learning rate."""
