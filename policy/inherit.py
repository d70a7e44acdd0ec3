"""A trained folder in, its weights inside a new model out; or one line that says what does not fit."""

from pathlib import Path
from typing import Any

from torch import nn

from lapa import checkpoint
from lapa.stage import differences
from policy.models import ActionModel, LatentModel

NAMES = ("embodiment", "state_names", "action_names", "absolute")


def inherit_latents(model: LatentModel, folder: Path, settings: dict[str, Any], quantizer: str | None) -> None:
    """Everything of a latent policy, to go on training it; ValueError when its codebook is another.

    quantizer: hash of the one whose codes are to be learnt now, None where it is not known.
    """
    saved = _intact(folder, "latent")
    _check_codebook(folder, saved["model"], settings, ("num_codes", "codes_per_step"))
    _check_quantizer(folder, saved, quantizer)
    _check_same(folder, saved["model"], settings, ("backbone", "head", "gaps_s", "future"))
    checkpoint.load_weights(folder, model)


def inherit_trunk(model: ActionModel, folder: Path, settings: dict[str, Any]) -> None:
    """The trunk of a latent policy, or all of an action policy of this robot (policy/preflight.py has seen to that)."""
    saved = _intact(folder, "latent", "action")
    _check_codebook(folder, saved["model"], settings, ("codes_per_step",))
    if saved["kind"] == "action":
        _check_same(folder, saved["model"], settings, ("backbone", "head", "chunk_steps", "normalisation", *NAMES))
        checkpoint.load_weights(folder, model)
        return
    _check_same(folder, saved["model"], settings, ("backbone",))
    checkpoint.load_weights(folder, model.trunk, part="trunk.")


def inherit_codes(folder: Path, labels: dict[str, Any]) -> nn.Module:
    """The code head of the latent policy in `folder`, trained as it is; ValueError when `labels`, a sidecar's manifest, are
    of another codebook or gap."""
    saved = _intact(folder, "latent")
    _check_codebook(folder, saved["model"], labels, ("num_codes", "codes_per_step"))
    _check_quantizer(folder, saved, labels["inputs"].get("quantizer"))
    if saved["model"]["gaps_s"] != [labels["gap_s"]]:
        raise ValueError(f"{folder} looks {saved['model']['gaps_s']} s ahead; these codes tell of {labels['gap_s']} s")
    model = LatentModel(**saved["model"])
    checkpoint.load_weights(folder, model)
    return model.codes


def inherit_statistics(folder: Path, head: dict[str, Any]) -> dict[str, Any] | None:
    """What the weights of the same `head` in `folder` go by: means and deviations, and what the head was fitted to; None
    where there is no such head. With others the same weights would tell the robot something else.
    """
    saved = checkpoint.load_settings(folder)
    alike = saved.get("kind") == "action" and saved["model"]["head"] == head
    return saved["model"]["statistics"] if alike else None


def _intact(folder: Path, *kinds: str) -> dict[str, Any]:
    """The settings of a model of one of `kinds`, whose weights are those that its manifest tells of."""
    saved = checkpoint.load_settings(folder)
    if saved.get("kind") not in kinds:
        raise ValueError(f"{folder} holds a model of kind {saved.get('kind')!r}; init_from takes {' or '.join(kinds)}")
    checkpoint.weights_hash(folder)
    return saved


def _check_codebook(folder: Path, saved: dict[str, Any], settings: dict[str, Any], keys: tuple[str, ...]) -> None:
    theirs, ours = ([source[key] for key in keys] for source in (saved, settings))
    if theirs != ours:
        names = ", ".join(keys)
        raise ValueError(f"{folder} was trained on codes of another codebook: {names} = {theirs} there, {ours} here")


def _check_quantizer(folder: Path, saved: dict[str, Any], ours: str | None) -> None:
    """Of equal sizes, but trained apart, the same number means something else."""
    theirs = saved.get("facts", {}).get("quantizer")
    if theirs and ours and theirs != ours:
        raise ValueError(f"{folder} was trained on another quantizer's codes ({theirs[:8]}; these are of {ours[:8]})")


def _check_same(folder: Path, saved: dict[str, Any], settings: dict[str, Any], keys: tuple[str, ...]) -> None:
    faults = [row for key in keys for row in differences(saved[key], settings[key], key)]
    if faults:
        raise ValueError(f"{folder} has another network (there → here): {'; '.join(faults[:6])}")
