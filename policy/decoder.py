"""What stands before the queries in, the queries' hidden states out: in one pass, or behind a prefix encoded once."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from transformers import Cache, DynamicCache
from transformers.modeling_layers import GradientCheckpointingLayer

from policy.backbone import Prefix, Words
from policy.sequence import additive, queries_see, who_sees_whom


class Before(NamedTuple):
    """Pictures and words as the decoder takes them. Positions may be several numbers a token, as in Qwen-VL.

    `deep`: what is added to the first t tokens, which are pictures, after each of the first blocks (DeepStack).
    """

    embedded: Float[Tensor, "b p d"]
    real: Bool[Tensor, "b p"]  # false at padding
    positions: Int64[Tensor, "*b p"]
    next: Int64[Tensor, "*b 1"]  # position of the first query
    hint: Float[Tensor, "b 1 d"]  # is added to every query, which takes its dtype
    deep: tuple[Float[Tensor, "b t d"], ...] = ()


class Decoding(nn.Module):
    """The half of a backbone that all share: a decoder of transformers over [what is before, queries].

    `both_ways`: what is before the queries sees each other whole, as a prefix; else causally, as they do.
    """

    both_ways: bool

    def before(self, pixels: Tensor, words: Words) -> Before:
        """Pictures and words, embedded; each backbone's own."""
        raise NotImplementedError

    def decoder(self) -> Any:
        """The language model without its head, whose blocks are `layers`."""
        raise NotImplementedError

    def forward(self, pixels: Tensor, words: Words, queries: Float[Tensor, "b q d"]) -> Float[Tensor, "b q d"]:
        """One pass over everything; padding is seen by nobody."""
        before, count = self.before(pixels, words), queries.shape[1]
        sequence = torch.cat([before.embedded, _hinted(queries, before.hint)], dim=1)
        added = torch.ones(queries.shape[:2], dtype=torch.bool, device=queries.device)
        mask = who_sees_whom(torch.cat([before.real, added], dim=1), both_ways=self._prefix_length(before))
        places = torch.cat([before.positions, _following(before.next, count, before.positions)], dim=-1)
        return self._decode(sequence, mask, places, None, before.deep)[:, -count:]

    def prefix(self, pixels: Tensor, words: Words) -> Prefix:
        """Keys and values of pictures and words."""
        before, cache = self.before(pixels, words), DynamicCache()
        mask = who_sees_whom(before.real, both_ways=self._prefix_length(before))
        self._decode(before.embedded, mask, before.positions, cache, before.deep)
        return Prefix(cache, before.real, before.next, before.hint)

    def go_on(self, prefix: Prefix, queries: Float[Tensor, "b q d"]) -> Float[Tensor, "b q d"]:
        """Hidden states of the queries; the prefix can be gone on from again."""
        places = _following(prefix.next, queries.shape[1], prefix.next)
        mask = queries_see(prefix.real, queries.shape[1])
        return self._decode(_hinted(queries, prefix.hint), mask, places, _copied(prefix.cache), ())

    def blocks(self) -> list[nn.Module]:
        """Every repeated block, the language model's after the vision tower's."""
        language = list(self.decoder().layers)
        repeated = [module for module in self.modules() if isinstance(module, GradientCheckpointingLayer)]
        return [module for module in repeated if module not in language] + language

    def _prefix_length(self, before: Before) -> int:
        return before.embedded.shape[1] if self.both_ways else 0

    def _decode(
        self,
        sequence: Float[Tensor, "b n d"],
        mask: Tensor,
        places: Tensor,
        cache: Cache | None,
        deep: Sequence[Tensor],
    ) -> Float[Tensor, "b n d"]:
        decoder = self.decoder()
        # "eager" attention adds its mask to the scores; the others take true and false.
        eager = decoder.config._attn_implementation == "eager"
        return decoder(
            inputs_embeds=sequence,
            attention_mask=additive(mask, sequence.dtype) if eager else mask,
            position_ids=places,
            past_key_values=cache,
            use_cache=cache is not None,
            **_stacked(deep, sequence),
        ).last_hidden_state


def _stacked(deep: Sequence[Tensor], sequence: Float[Tensor, "b n d"]) -> dict[str, Any]:
    """How transformers' decoders with DeepStack take it; nothing for the others."""
    if not deep:
        return {}
    pictures = torch.arange(sequence.shape[1], device=sequence.device) < deep[0].shape[1]
    added = [rearrange(level, "b t d -> (b t) d") for level in deep]
    return {"visual_pos_masks": pictures.expand(len(sequence), -1), "deepstack_visual_embeds": added}


def _hinted(queries: Tensor, hint: Tensor) -> Tensor:
    return (queries + hint).to(hint.dtype)


def _following(first: Int64[Tensor, "*b 1"], count: int, like: Tensor) -> Int64[Tensor, "*b n"]:
    return (first + torch.arange(count, device=first.device)).expand(*like.shape[:-1], count)


def _copied(cache: DynamicCache) -> DynamicCache:
    """One that grows by itself: keys and values are shared, as a layer replaces them instead of writing into them."""
    mine = copy.copy(cache)
    mine.layers = [copy.copy(layer) for layer in cache.layers]
    return mine
