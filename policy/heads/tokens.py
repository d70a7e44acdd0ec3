"""Chunks of normalised actions ↔ short rows of tokens: FAST, a cosine transform, rounded, then byte-pair encoding."""

import json
from typing import Any

import numpy as np
from jaxtyping import Float32
from scipy.fft import dct, idct
from tokenizers import Tokenizer, models, trainers

from policy.heads.action import Examples

FIRST_LETTER = 0x4E00  # coefficients are written as letters of a long run of ordinary ones
MOST_LETTERS = 20_000  # of that run


class FastTokens:
    """encode and decode are inverse but for rounding. `fitted` is what `fit` returned: JSON, its vocabulary among it.

    Pertsch et al. 2025, arXiv 2501.09747: coefficients of all dimensions are laid out lowest frequency first, and steps
    of 1 / `scale` are told apart.
    """

    def __init__(self, *, fitted: dict[str, Any], scale: float, chunk_steps: int, action_dim: int) -> None:
        self.low, self.high, self.scale = fitted["low"], fitted["high"], scale
        self.shape = (chunk_steps, action_dim)
        self.vocabulary = Tokenizer.from_str(json.dumps(fitted["vocabulary"]))
        self.letters = {token: letters for letters, token in self.vocabulary.get_vocab().items()}
        self.num_tokens = len(self.letters)

    @staticmethod
    def fit(examples: Examples, *, num_tokens: int, scale: float) -> dict[str, Any]:
        """Range of the coefficients and a vocabulary of at most `num_tokens`; ValueError when the letters need more."""
        numbers = _coefficients(examples.chunks, scale)
        low, high = int(numbers.min()), int(numbers.max())
        if high - low >= min(num_tokens, MOST_LETTERS):
            raise ValueError(
                f"{high - low + 1} coefficients need a token each; num_tokens={num_tokens}: lower the scale"
            )
        tokenizer = Tokenizer(models.BPE())
        trainer: Any = trainers.BpeTrainer(
            vocab_size=num_tokens, min_frequency=2, show_progress=False,
            initial_alphabet=[chr(FIRST_LETTER + i) for i in range(high - low + 1)],
        )  # fmt: skip
        tokenizer.train_from_iterator(_texts(numbers, low), trainer)
        return {"low": low, "high": high, "vocabulary": json.loads(tokenizer.to_str())}

    def encode(self, chunks: Float32[np.ndarray, "b n a"]) -> list[list[int]]:
        """Token ids in [0, num_tokens); coefficients beyond those fitted to become the nearest of these."""
        numbers = np.clip(_coefficients(chunks, self.scale), self.low, self.high)
        return [found.ids for found in self.vocabulary.encode_batch(_texts(numbers, self.low))]

    def decode(self, rows: list[list[int]]) -> tuple[Float32[np.ndarray, "b n a"], int]:
        """Chunks, and how many rows were no chunk: those have another number of coefficients and become zeros, the
        demonstrations' mean, as the published decoder answers them."""
        numbers = np.zeros((len(rows), *self.shape), np.float32)
        malformed = 0
        for i, ids in enumerate(rows):
            letters = "".join(self.letters[token] for token in ids)
            if len(letters) == numbers[i].size:
                numbers[i] = np.reshape([ord(letter) - FIRST_LETTER + self.low for letter in letters], self.shape)
            else:
                malformed += 1
        return idct(numbers / self.scale, axis=1, norm="ortho").astype(np.float32), malformed


def _coefficients(chunks: Float32[np.ndarray, "b n a"], scale: float) -> np.ndarray:
    return np.rint(dct(chunks, axis=1, norm="ortho") * scale).astype(np.int64)


def _texts(numbers: np.ndarray, low: int) -> list[str]:
    """Row by row of [n, a]: the lowest frequency of all dimensions comes first."""
    return ["".join(chr(FIRST_LETTER + number - low) for number in row) for row in numbers.reshape(len(numbers), -1)]
