"""A vision-language network of about a million parameters, built from numbers alone: nothing is downloaded."""

from collections.abc import Sequence
from typing import Any

import torch
from einops import rearrange, repeat
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaModel

from policy.backbone import Words
from policy.backbones.stem import PointingStem
from policy.decoder import Before, Decoding
from policy.sequence import Summary, hash_words, positions, real_tokens


class TinyBackbone(Decoding):
    """A stem that the words steer, then a Llama (of transformers) over [words, image tokens, queries].

    Where the stem points to is also added to the queries: a short way for gradients. Llama's residual branches start at
    zero, so that the network is that short way at first; without either, 30 k samples were not enough to leave chance
    (docs/log.md). See policy.backbone.Backbone for what each method must do.
    """

    def __init__(
        self, *, image_px: int, num_cameras: int, channels: Sequence[int], strides: Sequence[int], num_points: int,
        width: int, depth: int, num_heads: int, feed_forward: int, pointer_hidden: int, buckets: int, max_words: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.both_ways = True
        self.width, self.image_px, self.num_cameras = width, image_px, num_cameras
        self.buckets, self.max_words = buckets, max_words
        self.stem = PointingStem(
            image_px=image_px, channels=channels, strides=strides, num_points=num_points, width=width
        )
        self.place = nn.Linear(2, width)
        self.names = nn.Parameter(0.3 * torch.randn(num_cameras, num_points, width))  # which map of which camera
        self.pointer = nn.Sequential(
            nn.Linear(num_cameras * num_points * 2, pointer_hidden), nn.GELU(), nn.Linear(pointer_hidden, width)
        )
        self.summary = Summary(width=width)
        self.language = LlamaModel(_llama(buckets, width, depth, num_heads, feed_forward))
        _start(self.language)

    def tokenise(self, texts: list[str], device: torch.device) -> Words:
        """Hashed words; see policy.sequence.hash_words."""
        words = hash_words(texts, buckets=self.buckets, max_words=self.max_words)
        return Words(words.ids.to(device), words.mask.to(device))

    def prepare(self, images: UInt8[Tensor, "b c 3 h w"]) -> Float[Tensor, "b c 3 h w"]:
        """[0, 255] → [−1, 1]; ValueError when number of cameras or size is another."""
        wanted = (self.num_cameras, 3, self.image_px, self.image_px)
        if tuple(images.shape[1:]) != wanted:
            given = tuple(images.shape[1:])
            raise ValueError(f"images have shape {given}; this backbone reads {wanted} (cameras, 3, h, w)")
        return images.float() / 127.5 - 1

    def before(self, pixels: Float[Tensor, "b c 3 h w"], words: Words) -> Before:
        """[words, image tokens]."""
        embedded = self.language.embed_tokens(words.ids)
        tokens, hint = self._see(pixels, self.summary(embedded, words.mask))
        real = torch.cat([words.mask, real_tokens(tokens)], dim=1)
        places = positions(words.ids.shape[1], tokens.shape[1] + 1, max_words=self.max_words, device=tokens.device)
        sequence = torch.cat([embedded, tokens], dim=1)
        return Before(sequence, real, places[:, :-1], places[:, -1:], hint.to(sequence.dtype))

    def decoder(self) -> LlamaModel:
        """The Llama."""
        return self.language

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """vision: stem, places, pointer; language: words and Llama."""
        vision = [*self.stem.parameters(), *self.place.parameters(), self.names, *self.pointer.parameters()]
        return {"vision": vision, "language": [*self.summary.parameters(), *self.language.parameters()]}

    def _see(self, pixels: Tensor, text: Tensor) -> tuple[Float[Tensor, "b m d"], Float[Tensor, "b 1 d"]]:
        """Image tokens of all cameras, and the hint to the queries."""
        count = pixels.shape[1]
        seen = self.stem(rearrange(pixels, "b c p h w -> (b c) p h w"), repeat(text, "b d -> (b c) d", c=count))
        tokens = rearrange(seen.tokens + self.place(seen.points), "(b c) m d -> b c m d", c=count) + self.names
        hint = self.pointer(rearrange(seen.points, "(b c) m two -> b (c m two)", c=count))
        return rearrange(tokens, "b c m d -> b (c m) d"), hint[:, None]


def _start(language: LlamaModel) -> None:
    """Words differ clearly from the first step on; each residual branch starts as nothing."""
    nn.init.normal_(language.embed_tokens.weight)
    for name, parameter in language.named_parameters():
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            nn.init.zeros_(parameter)


def _llama(buckets: int, width: int, depth: int, num_heads: int, feed_forward: int) -> LlamaConfig:
    sizes: dict[str, Any] = {"attn_implementation": "eager"}  # the CPU's flash kernel is slower at these lengths
    return LlamaConfig(
        vocab_size=buckets,
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
