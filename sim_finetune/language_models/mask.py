"""A JSON Schema and a tokenizer in; out: which tokens may come next, so that a model cannot leave the schema."""

import json
from typing import Any

import torch
from transformers import LogitsProcessor


class SchemaMask(LogitsProcessor):
    """For one reply of `model.generate`, one sequence at a time.

    table: of `token_table`; prompt_length: tokens that are not the reply's. ValueError for a schema it cannot follow.
    """

    def __init__(self, *, table: Any, schema: dict[str, Any], vocabulary: int, prompt_length: int):
        guide = _guide()
        tight = {"whitespace_flexible": False}  # a small model would fill its reply with blanks
        grammar = guide.LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=tight)
        self._matcher = guide.LLMatcher(table, grammar)
        self._done, self._vocabulary = prompt_length, vocabulary
        self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise ValueError(f"the schema cannot be followed: {self._matcher.get_error()}")

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores with every token that would leave the schema at −∞. input_ids: Int64[1 t], scores: Float[1 v]."""
        new = input_ids[0, self._done :].tolist()
        self._done += len(new)
        self._matcher.consume_tokens(new)
        self._check()
        bits = torch.frombuffer(bytearray(self._matcher.compute_bitmask()), dtype=torch.uint8)
        allowed = (bits[:, None] >> torch.arange(8, dtype=torch.uint8)) & 1
        return scores.masked_fill(~allowed.flatten()[: self._vocabulary].bool().to(scores.device), float("-inf"))


def token_table(tokenizer: Any, vocabulary: int) -> Any:
    """The tokenizer as the mask needs it; takes a second, so keep it for all replies of a model."""
    _guide()
    from llguidance.hf import from_tokenizer

    return from_tokenizer(tokenizer, n_vocab=vocabulary)


def _guide() -> Any:
    try:
        import llguidance
    except ImportError as error:
        raise ValueError("constrained decoding needs llguidance: pip install 'lapa[llm]'") from error
    return llguidance
