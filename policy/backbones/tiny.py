"""A vision-language network of about a million parameters, built from numbers alone: nothing is downloaded."""

from collections.abc import Sequence
from typing import Any

from torch import nn
from transformers import LlamaConfig, LlamaModel

from policy.backbones.pointing import Pointing
from policy.readers import Reader


class TinyBackbone(Pointing):
    """A small Llama whose residual branches start at zero, so that the network is at first the short way of `Pointing`.

    Without either, 30 k samples were not enough to leave chance (docs/log.md). `words`: see policy/readers.py.
    """

    def __init__(
        self, *, words: Reader, image_px: int, num_cameras: int, channels: Sequence[int], strides: Sequence[int],
        num_points: int, width: int, depth: int, num_heads: int, feed_forward: int, pointer_hidden: int,
    ) -> None:  # fmt: skip
        super().__init__(
            words=words, image_px=image_px, num_cameras=num_cameras, channels=channels, strides=strides,
            num_points=num_points, width=width, pointer_hidden=pointer_hidden, both_ways=True,
        )  # fmt: skip
        self.language = LlamaModel(_llama(words.vocabulary, width, depth, num_heads, feed_forward))
        _start(self.language)
        if words.state_width:  # an encoder's states are brought to the size that a table's rows have
            table = nn.Sequential(nn.Linear(words.state_width, width), nn.LayerNorm(width))
            self.language.set_input_embeddings(table)


def _start(language: LlamaModel) -> None:
    """Words differ clearly from the first step on; each residual branch starts as nothing."""
    nn.init.normal_(language.embed_tokens.weight)
    for name, parameter in language.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            nn.init.zeros_(parameter)


def _llama(vocabulary: int, width: int, depth: int, num_heads: int, feed_forward: int) -> LlamaConfig:
    sizes: dict[str, Any] = {"attn_implementation": "eager"}  # the CPU's flash kernel is slower at these lengths
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=feed_forward,
        num_hidden_layers=depth,
        num_attention_heads=num_heads,
        num_key_value_heads=num_heads,
        initializer_range=0.5 * width**-0.5,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=None,
        **sizes,
    )
