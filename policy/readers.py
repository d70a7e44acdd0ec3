"""Instructions in, tokens out: numbers for a backbone's own table, or what a sentence encoder made of each token."""

import re
import warnings
import zlib
from functools import lru_cache
from typing import Any, Protocol

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from lapa import minilm
from policy.backbone import Words

CACHED_TEXTS = 1024  # a task's instructions come again and again


class Reader(Protocol):
    """What a backbone asks for its words. `max_words`: tokens of the longest text it takes.

    `pad_words`: 0 pads to the batch's longest text; else to so many tokens, or to `max_words` where a text is longer,
    so that there are two shapes at most. Padding changes no result. `cut`: whether a longer text loses its end, as words of
    films do in training, or is refused, as what a robot is told.
    """

    max_words: int
    cut: bool
    pad_words: int
    vocabulary: int  # of the numbers
    state_width: int  # of the encoder's states; 0 where tokens are numbers

    def tokenise(self, texts: list[str]) -> Words:
        """ValueError when a text has more than `max_words` and is not to be cut: that would change what is asked."""


class HashedWords:
    """Each lower-cased word is 1 + crc32 modulo (buckets − 1): the same everywhere, without a vocabulary file."""

    def __init__(self, *, buckets: int, max_words: int, pad_words: int) -> None:
        self.vocabulary, self.state_width = buckets, 0
        self.max_words, self.pad_words, self.cut = max_words, pad_words, False

    def tokenise(self, texts: list[str]) -> Words:
        """Numbers; 0 is padding. An empty text is one token of padding at least."""
        split = [re.findall(r"\w+", text.lower()) for text in texts]
        rows = [[1 + zlib.crc32(word.encode()) % (self.vocabulary - 1) for word in words] for words in split]
        return batch([torch.tensor(row, dtype=torch.int64) for row in rows], texts, self, unit="words")


class MiniLMWords:
    """MiniLM's hidden state of each token (sentence embeddings are their means): what says the same lies near.

    The encoder is not trained and not saved with a policy; a text is encoded once. It is in the extra `text`.
    """

    def __init__(self, *, max_words: int, pad_words: int) -> None:
        self.vocabulary, self.state_width = 1, minilm.WIDTH
        self.max_words, self.pad_words, self.cut = max_words, pad_words, False
        minilm.load()

    def tokenise(self, texts: list[str]) -> Words:
        """States, in float32."""
        return batch([_states(text, self.max_words, self.cut) for text in texts], texts, self, unit="tokens")


class ModelWords:
    """A language model's own tokenizer."""

    def __init__(self, *, tokenizer: Any, max_words: int, pad_words: int) -> None:
        self.tokenizer, self.vocabulary, self.state_width = tokenizer, len(tokenizer), 0
        self.max_words, self.pad_words, self.cut = max_words, pad_words, False

    def tokenise(self, texts: list[str]) -> Words:
        """Numbers."""
        rows = self.tokenizer(texts)["input_ids"]
        return batch([torch.tensor(row, dtype=torch.int64) for row in rows], texts, self, unit="tokens")


def batch(
    rows: list[Int64[Tensor, " w"] | Float[Tensor, "w e"]], texts: list[str], reader: Reader, *, unit: str
) -> Words:
    """One row a text, padded on the right with zeros as `reader` says."""
    rows = [_fitted(row, text, reader, unit) for row, text in zip(rows, texts, strict=True)]
    length = max(1, *map(len, rows))
    fixed = reader.pad_words if length <= reader.pad_words else reader.max_words
    wanted = fixed if reader.pad_words else length
    tokens = pad_sequence(rows, batch_first=True)
    tokens = nn.functional.pad(tokens, (0, 0) * (tokens.ndim - 2) + (0, wanted - tokens.shape[1]))
    counts = torch.tensor([len(row) for row in rows])
    return Words(tokens, torch.arange(wanted) < counts[:, None])


def _fitted(row: Tensor, text: str, reader: Reader, unit: str) -> Tensor:
    if reader.cut and len(row) > reader.max_words:
        warnings.warn(f"texts of more than max_words={reader.max_words} {unit} are cut in training", stacklevel=1)
        return row[: reader.max_words]
    check_length(text, len(row), unit, max_words=reader.max_words)
    return row


def check_length(text: str, length: int, unit: str, *, max_words: int) -> None:
    """ValueError naming a text that is too long."""
    if length > max_words:
        said = text if len(text) <= 80 else f"{text[:77]}..."
        raise ValueError(f"{said!r} has {length} {unit}; this backbone reads max_words={max_words}")


@lru_cache(maxsize=CACHED_TEXTS)
def _states(text: str, max_words: int, cut: bool) -> Float[Tensor, "w e"]:
    """One token more than the longest text, where there are more to be cut: `_fitted` tells of it."""
    tokenizer, model = minilm.load()
    tokens = tokenizer(text, truncation=cut, max_length=max_words + 1 if cut else None, return_tensors="pt")
    count = tokens["input_ids"].shape[1]
    check_length(text, count, "tokens", max_words=max_words + cut)  # before a text of any length is encoded
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        return model(**tokens).last_hidden_state[0]
