"""Pictures and words in, image tokens and a hint to the queries out: the half that our own backbones share."""

from collections.abc import Sequence

import torch
from einops import rearrange, repeat
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from transformers import LlamaModel

from policy.backbone import Words
from policy.backbones.stem import PointingStem
from policy.decoder import Before, Decoding
from policy.readers import Reader
from policy.sequence import Summary, positions, real_tokens


class Pointing(Decoding):
    """A stem that the words steer, then a Llama (of transformers) over [words, image tokens, queries].

    Where the stem points to is also added to the queries: a short way for gradients. Whoever inherits from it sets
    `language`, and may set a `projector` of image tokens. See policy.backbone.Backbone for what each method must do.
    """

    language: LlamaModel
    projector: nn.Module

    def __init__(
        self, *, words: Reader, image_px: int, num_cameras: int, channels: Sequence[int], strides: Sequence[int],
        num_points: int, width: int, pointer_hidden: int, both_ways: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.words, self.both_ways = words, both_ways
        self.width, self.image_px, self.num_cameras = width, image_px, num_cameras
        self.stem = PointingStem(
            image_px=image_px, channels=channels, strides=strides, num_points=num_points, width=width
        )
        self.place = nn.Linear(2, width)
        self.names = nn.Parameter(0.3 * torch.randn(num_cameras, num_points, width))  # which map of which camera
        self.pointer = nn.Sequential(
            nn.Linear(num_cameras * num_points * 2, pointer_hidden), nn.GELU(), nn.Linear(pointer_hidden, width)
        )
        self.summary = Summary(width=width)
        self.projector = nn.Identity()

    def tokenise(self, texts: list[str], device: torch.device) -> Words:
        """Tokens of `words`; ValueError names a text that is too long."""
        words = self.words.tokenise(texts)
        return Words(words.tokens.to(device), words.mask.to(device))

    def prepare(self, images: UInt8[Tensor, "b c 3 h w"]) -> Float[Tensor, "b c 3 h w"]:
        """[0, 255] → [−1, 1]; ValueError when number of cameras or size is another."""
        wanted = (self.num_cameras, 3, self.image_px, self.image_px)
        if tuple(images.shape[1:]) != wanted:
            given = tuple(images.shape[1:])
            raise ValueError(f"images have shape {given}; this backbone reads {wanted} (cameras, 3, h, w)")
        return images.float() / 127.5 - 1

    def before(self, pixels: Float[Tensor, "b c 3 h w"], words: Words) -> Before:
        """[words, image tokens]."""
        embedded = self.language.get_input_embeddings()(words.tokens)
        tokens, hint = self._see(pixels, self.summary(embedded, words.mask))
        real = torch.cat([words.mask, real_tokens(tokens)], dim=1)
        places = positions(
            words.mask.shape[1], tokens.shape[1] + 1, max_words=self.words.max_words, device=tokens.device
        )
        sequence = torch.cat([embedded, tokens], dim=1)
        return Before(sequence, real, places[:, :-1], places[:, -1:], hint.to(sequence.dtype))

    def decoder(self) -> LlamaModel:
        """The Llama."""
        return self.language

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """vision: stem, places, pointer, projector; language: words and Llama."""
        seeing = (self.stem, self.place, self.pointer, self.projector)
        stem, place, pointer, projector = (list(part.parameters()) for part in seeing)
        vision = [*stem, *place, self.names, *pointer, *projector]
        return {"vision": vision, "language": [*self.summary.parameters(), *self.language.parameters()]}

    def _see(self, pixels: Tensor, text: Tensor) -> tuple[Float[Tensor, "b m d"], Float[Tensor, "b 1 d"]]:
        """Image tokens of all cameras, and the hint to the queries."""
        count = pixels.shape[1]
        seen = self.stem(rearrange(pixels, "b c p h w -> (b c) p h w"), repeat(text, "b d -> (b c) d", c=count))
        tokens = rearrange(seen.tokens + self.place(seen.points), "(b c) m d -> b c m d", c=count) + self.names
        hint = self.pointer(rearrange(seen.points, "(b c) m two -> b (c m two)", c=count))
        return self.projector(rearrange(tokens, "b c m d -> b (c m) d")), hint[:, None]
