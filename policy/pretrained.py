"""A trained policy's folder in, a folder as the Hugging Face hub takes it out; and back into a policy, by folder or name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from lapa import checkpoint, hub
from lapa.files import atomic_path, file_hash
from lapa.stage import open_stage, read_manifest
from policy.bodies import each_robot
from policy.infer import Policy, Thinker, load_latent
from policy.infer import load as load_action
from policy.model_card import write_card

# By what a folder's settings name as their `kind`.
LOADERS: dict[str, Callable[[Path, str], Policy | Thinker]] = {"action": load_action, "latent": load_latent}
TRAINING = ("record", "count", "parameters", "final", "inputs", "config", "seen")  # of the manifest: told as "training"


def main(cfg: DictConfig) -> None:
    """`lapa export checkpoint=DIR out=DIR`: config.json, model.safetensors, statistics.json, README.md; `push_to` sends them."""
    folder, results = Path(cfg.checkpoint), [Path(path) for path in cfg.results]
    robots = list(each_robot(checkpoint.load_settings(folder).get("model", {})))
    one = robots[0] if len(robots) > 1 else None
    load_folder(folder, device="cpu", embodiment=one)  # what does not load is not handed on
    measured_of(folder, results)
    named = {f"result_{i}": path for i, path in enumerate(results)}
    told = {"checkpoint": folder, "results": None, "push_to": None, "private": None}
    with open_stage(cfg, {**told, **named}) as stage:
        if not stage.done:
            trained = checkpoint.training_of(folder)
            left_out = (*TRAINING, "training", "files", "versions")
            facts = {key: value for key, value in trained.items() if key not in left_out}
            save(folder, stage.out, licence=cfg.licence, results=results)
            training = {key: trained[key] for key in TRAINING if key in trained}
            stage.finish(record="Pretrained", count=1, training=training, **facts)
    if cfg.push_to:
        print(f"pushed to {hub.push(stage.out, cfg.push_to, private=cfg.private)}")
    else:
        print(f'{stage.out}: policy.pretrained.load("{stage.out}", device="cpu")')


def save(policy: Path, out: Path, *, licence: str, results: list[Path]) -> None:
    """Fill `out` from a training's folder and what was measured of it, as `measured_of` takes it."""
    measured = measured_of(policy, results)
    card = write_card(checkpoint.load_settings(policy), checkpoint.training_of(policy), measured, licence=licence)
    checkpoint.publish(policy, out)
    with atomic_path(out / "README.md") as partial:
        partial.write_text(card)


def measured_of(policy: Path, results: list[Path]) -> list[tuple[Path, dict[str, Any]]]:
    """Folders of `lapa rollout` and `lapa open_loop` with their manifests; ValueError when one is of another policy."""
    mark, measured = file_hash(checkpoint.weights_path(policy))[:16], [(path, read_manifest(path)) for path in results]
    for path, manifest in measured:
        theirs = manifest.get("policy_hash")
        if theirs != mark:
            raise ValueError(f"{path} was measured with another policy: {theirs}, this one is {mark}")
    return measured


def load(
    name: str, *, device: str, revision: str | None = None, embodiment: str | None = None
) -> Policy | Thinker:  # fmt: skip
    """The policy in a folder (a training's, or one that `save` filled) or of a name on the hub ("user/name").

    An action policy gives a Policy, for `embodiment` where it has several robots, a latent one a Thinker. ValueError when
    nothing is there, when it is no policy of ours, names code that may not be built, or its tensors do not fit.
    """
    return load_folder(hub.fetch(name, kind="model", revision=revision), device=device, embodiment=embodiment)


def load_folder(folder: Path, *, device: str, embodiment: str | None) -> Policy | Thinker:
    """`load` of a folder, without a thought of the hub."""
    kind = checkpoint.load_settings(folder).get("kind")
    if kind not in LOADERS:
        raise ValueError(f"{folder} holds a model of kind {kind!r}; this loads {' or '.join(LOADERS)}")
    return LOADERS[kind](folder, device) if embodiment is None else load_action(folder, device, embodiment)
