"""What a vision-language network must offer to carry a policy: pixels, words, queries in, hidden states out."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, device, nn


class Words(NamedTuple):
    """Tokenised instructions, padded on the right; `mask` is true where a token is real."""

    tokens: Int64[Tensor, "b w"] | Float[Tensor, "b w e"]  # numbers, or an encoder's states
    mask: Bool[Tensor, "b w"]


class Prefix(NamedTuple):
    """Pictures and words, encoded: what queries need of them, however often they are asked."""

    cache: Any  # transformers' Cache: keys and values of every block; nobody changes it
    real: Bool[Tensor, "b p"]  # false at padding
    next: Int64[Tensor, "*b 1"]  # position of the first query
    hint: Float[Tensor, "b 1 d"]  # is added to every query, which takes its dtype


@runtime_checkable
class Backbone(Protocol):
    """What every backbone needs. Each is an nn.Module; a new one is a file in policy/backbones and a yaml."""

    width: int  # of the hidden states, and of the queries it is given

    def tokenise(self, texts: list[str], device: device) -> Words:
        """Instructions → tokens on `device`; empty text is allowed. By `words`, a policy.readers.Reader."""

    def prepare(self, images: UInt8[Tensor, "b c 3 h w"]) -> Tensor:
        """Pixels of c cameras in [0, 255] → what `forward` takes, on the same device."""

    def forward(self, pixels: Tensor, words: Words, queries: Float[Tensor, "b q d"]) -> Float[Tensor, "b q d"]:
        """Hidden states of `queries`, which follow words and images and see each other causally."""

    def prefix(self, pixels: Tensor, words: Words) -> Prefix:
        """Pictures and words alone; `go_on` with it gives what `forward` gives, but for rounding."""

    def go_on(self, prefix: Prefix, queries: Float[Tensor, "b q d"]) -> Float[Tensor, "b q d"]:
        """Hidden states of `queries` behind `prefix`, which stays as it is."""

    def blocks(self) -> list[nn.Module]:
        """The repeated blocks, which hold most weights and activations; the last is the language model's last."""

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """Every parameter once, under "vision" or "language": a group has its own learning rate."""
