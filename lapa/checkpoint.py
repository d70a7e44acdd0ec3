"""Model folders: weights.safetensors + settings.json, nothing that executes; strict when read.

Published folders (`lapa export`) have the hub's names: model.safetensors + config.json + statistics.json; both are read.
"""

import importlib
import inspect
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import InstantiationException
from omegaconf import OmegaConf
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lapa.files import atomic_path, file_hash, write_json
from lapa.ranks import is_first, whole
from lapa.stage import MANIFEST, read_manifest

WEIGHTS, SETTINGS = "weights.safetensors", "settings.json"
PUBLISHED, CONFIG, STATISTICS = "model.safetensors", "config.json", "statistics.json"


def save(folder: Path, module: nn.Module, settings: Mapping[str, Any]) -> None:
    """Write the module's tensors and the JSON settings that rebuild it. All ranks of a training call it; rank 0 writes."""
    tensors = {name: whole(tensor).detach().cpu().clone().contiguous() for name, tensor in module.state_dict().items()}
    if not is_first():
        return
    with atomic_path(Path(folder) / WEIGHTS) as partial:
        save_file(tensors, partial)
    write_json(Path(folder) / SETTINGS, dict(settings))


def publish(folder: Path, out: Path) -> None:
    """Write the model of `folder` to `out` under the hub's names, byte for byte the same weights."""
    settings = load_settings(folder)
    model = dict(settings["model"])
    if "statistics" in model:
        write_json(out / STATISTICS, model.pop("statistics"))
    write_json(out / CONFIG, settings | {"model": model})
    with atomic_path(out / PUBLISHED) as partial:
        shutil.copyfile(weights_path(folder), partial)


def load_settings(folder: Path) -> dict[str, Any]:
    """The settings `save` wrote, also as `publish` left them; ValueError names the folder when it holds no model."""
    own, config, statistics = (Path(folder) / name for name in (SETTINGS, CONFIG, STATISTICS))
    if own.is_file() or not config.is_file():
        return _read_json(own, folder)
    settings = _read_json(config, folder)
    if statistics.is_file() and isinstance(settings.get("model"), dict):
        settings["model"]["statistics"] = _read_json(statistics, folder)
    return settings


def _read_json(path: Path, folder: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"{folder} holds no model: {path.name} is missing")
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def weights_path(folder: Path) -> Path:
    """The file of a model folder's tensors; ValueError when there is none."""
    paths = [Path(folder) / name for name in (WEIGHTS, PUBLISHED)]
    found = [path for path in paths if path.is_file()]
    if not found:
        raise ValueError(f"{folder} holds no model: {WEIGHTS} is missing")
    return found[0]


def weights_hash(folder: Path) -> str:
    """sha256 of the weights; ValueError when the folder's manifest has another: a flipped bit has no shape."""
    path = weights_path(folder)
    found = file_hash(path)
    if (folder / MANIFEST).is_file() and read_manifest(folder)["files"].get(path.name, found) != found:
        raise ValueError(f"{path} is damaged: its hash is not the one in {MANIFEST}")
    return found


def read_weights(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model folder; ValueError when the file is missing, truncated or no safetensors."""
    return read_tensors(weights_path(folder))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of one safetensors file; ValueError when it is truncated or something else."""
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def load_weights(folder: Path, module: nn.Module, *, part: str = "") -> None:
    """Load weights strictly, or only those whose names begin with `part`; ValueError names what does not fit."""
    tensors = read_weights(folder)
    saved = {name.removeprefix(part): tensor for name, tensor in tensors.items() if name.startswith(part)}
    check_fit(saved, module, origin=folder)
    module.load_state_dict(saved)


def check_fit(saved: Mapping[str, Tensor], module: nn.Module, *, origin: Path) -> None:
    """ValueError naming the tensors of `saved` that are missing, unknown to the module, or of another shape there."""
    wanted = module.state_dict()
    faults = [f"{name} is missing" for name in wanted.keys() - saved.keys()]
    faults += [f"{name} is not in this model" for name in saved.keys() - wanted.keys()]
    faults += [
        f"{name} has shape {tuple(saved[name].shape)}, this model wants {tuple(wanted[name].shape)}"
        for name in wanted.keys() & saved.keys()
        if saved[name].shape != wanted[name].shape
    ]
    if faults:
        raise ValueError(f"{origin} does not fit: " + "; ".join(sorted(faults)[:8]) + f" ({len(faults)} in all)")


def training_of(folder: Path) -> dict[str, Any]:
    """The manifest of the training whose model lies in `folder`, also after an export."""
    manifest = read_manifest(folder)
    return manifest | manifest.get("training", {})


def seen_by(folder: Path) -> dict[str, float]:
    """{hash of a folder: per cent of it held out} of what the training in `folder` read, and those that it began from."""
    told = training_of(folder)
    own = told.get("config", {}).get("data", {}).get("val_percent", 0)
    return told.get("seen", {}) | {mark: own for name, mark in told.get("inputs", {}).items() if name != "init_from"}


def build(settings: Mapping[str, Any], *, allowed: tuple[str, ...]) -> Any:
    """Instantiate settings read from disk after checking every `_target_`: a class of ours, of a module whose name begins with
    one of `allowed`, or a function of one that is not called here (`_partial_`).

    A checkpoint is data from outside: without this check its JSON could call any function of the machine, also by way of
    what our modules import (`policy.infer.torch.load`).
    """
    for node in _nodes(settings):
        if not _is_ours(node, allowed):
            raise ValueError(
                f"settings want to build {node['_target_']!r}; only classes of {', '.join(allowed)} may be built from a file"
            )
    if "${" in json.dumps(settings, default=str):
        raise ValueError("settings of a file may hold no ${…}: they would read this machine's environment")
    try:
        return hydra.utils.instantiate(OmegaConf.create(dict(settings)), _convert_="all")
    except InstantiationException as error:
        raise ValueError(
            f"these settings do not build: {str(error).splitlines()[0]} {error.__cause__ or ''}"
        ) from error


def _is_ours(node: Mapping[str, Any], allowed: tuple[str, ...]) -> bool:
    """Whether the target is defined in the module that it is named after."""
    module, _, name = str(node["_target_"]).rpartition(".")
    if not f"{module}.".startswith(allowed):
        return False
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return False
    callable_later = inspect.isfunction(found) and node.get("_partial_") is True
    return (inspect.isclass(found) or callable_later) and found.__module__ == module


def _nodes(node: Any) -> Iterator[Mapping[str, Any]]:
    """Everything in the tree that names a target."""
    if isinstance(node, Mapping):
        if "_target_" in node:
            yield node
        for value in node.values():
            yield from _nodes(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _nodes(value)
