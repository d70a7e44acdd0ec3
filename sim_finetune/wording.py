"""A sentence in, a unit vector of what it says out, by MiniLM (all-MiniLM-L6-v2) where the extra `text` is installed."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from jaxtyping import Float32

from lapa.minilm import folder as model_folder
from lapa.minilm import load

MOST_TOKENS = 256

Embed = Callable[[str], Float32[np.ndarray, "d"]]


@lru_cache(maxsize=1)
def embedder() -> Embed | None:
    """The model, loaded once a process; None without the extra `text`."""
    if model_folder() is None:
        return None
    import torch

    tokenizer, model = load()

    @lru_cache(maxsize=4096)
    def embed(text: str) -> Float32[np.ndarray, "d"]:
        tokens = tokenizer(text, truncation=True, max_length=MOST_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            mean = model(**tokens).last_hidden_state[0].mean(dim=0)  # one sentence: nothing is padded
        return (mean / mean.norm()).numpy()

    return embed
