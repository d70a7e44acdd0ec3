"""A trained model's folder in, what `lapa label` writes with it out: a quantizer's codes, or a robot's pseudo-actions."""

import warnings
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from omegaconf import DictConfig
from safetensors.torch import load_file
from torch import Tensor, nn

from lapa import checkpoint
from lapa.probe import r_squared
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import manifest_hash, read_manifest
from lapa.stream import shows_label
from lapa.video import gap_in
from quantizer.actions import true_actions
from quantizer.inverse_dynamics import FROM_DATA, InverseDynamics
from quantizer.model import Quantizer
from quantizer.probe import LEAST_EPISODES
from quantizer.quality import write_quality
from quantizer.sample import episode_number
from quantizer.untrained import twin


class Labeller(Protocol):
    """A model that says something of each frame pair.

    record: the manifest's. stem: sidecars are `<stem>-NNNNNN.safetensors`. none: no label, [0 …], as dtype and shape on disk.
    """

    record: str
    stem: str
    none: Tensor

    @property
    def model(self) -> nn.Module:
        """The network, in `eval` mode."""

    def label(self, before: Tensor, after: Tensor) -> Tensor:
        """uint8 [b 3 h w] twice → labels [b …]."""

    def facts(self, trained: dict[str, Any], clips: dict[str, Any], cfg: DictConfig) -> dict[str, Any]:
        """What the labels' readers must know, from both manifests; ValueError when these clips are not for this model."""

    def report(self, out: Path, cfg: DictConfig, gap: int) -> tuple[dict[str, Any], str]:
        """Judge the sidecars in `out`: numbers for the manifest, and a sentence."""


class Codes:
    """Latent codes of a quantizer; the hash of its folder stands among the manifest's inputs."""

    record, stem = "LatentStep", "codes"

    def __init__(self, model: Quantizer) -> None:
        if model.num_codes == 1:
            raise ValueError(
                "a continuous quantizer (num_codes 1) has no codes to write; train one with bottleneck=vq, fsq, …"
            )
        self.model = model
        dtype = torch.int16 if model.num_codes <= 2**15 else torch.int32
        self.none = torch.empty(0, model.codes_per_step, dtype=dtype)

    def label(self, before: Tensor, after: Tensor) -> Tensor:
        """Codes [b k] in [0, num_codes)."""
        return self.model.codes(before, after)

    def facts(self, trained: dict[str, Any], clips: dict[str, Any], cfg: DictConfig) -> dict[str, Any]:
        """The codebook's size, and the gap that a code spans: the quantizer's own, or another that is asked for."""
        check_unseen(cfg)
        facts = {key: trained[key] for key in ("gap_s", "num_codes", "codes_per_step")}
        facts |= {} if cfg.gap_s is None else {"gap_s": float(cfg.gap_s)}
        probe_gap(cfg, facts["gap_s"])  # before hours of labelling
        return facts

    def report(self, out: Path, cfg: DictConfig, gap: int) -> tuple[dict[str, Any], str]:
        """quality.json and pictures: the report card, its verdict as the sentence."""
        gap_s = gap / read_manifest(Path(cfg.clips))["fps"]
        counted = (torch.bincount(rows.long().ravel(), minlength=self.model.num_codes) for rows in read_rows(out, self))
        found = write_quality(
            self.model, Path(cfg.probe or cfg.clips), out, gap=probe_gap(cfg, gap_s), uses=torch.stack(list(counted)).sum(0),
            max_clips=cfg.probe_clips, pairs_per_clip=cfg.pairs_per_clip, seed=cfg.seed,
            untrained=twin(Path(cfg.quantizer), cfg.seed), label_percent=labels_seen(cfg),
        )  # fmt: skip
        return {key: found[key] for key in ("perplexity", "good_enough")}, "\n".join(("", *found["verdict"]))


def probe_gap(cfg: DictConfig, gap_s: float) -> int:
    """`gap_s` in frames of the clips that are probed, which may have a rate of their own; ValueError when these are too
    short for it, or of another size than the clips that are labelled.
    """
    probed, clips = (read_manifest(Path(folder)) for folder in (cfg.probe or cfg.clips, cfg.clips))
    if probed["image_px"] != clips["image_px"]:
        raise ValueError(f"probe={cfg.probe} has pictures of {probed['image_px']} px, the clips of {clips['image_px']}")
    return gap_in(probed, gap_s)


def labels_seen(cfg: DictConfig) -> float:
    """Of the clips that the report card probes, the per cent whose true states the quantizer was taught."""
    trained = read_manifest(Path(cfg.quantizer))
    same = manifest_hash(Path(cfg.probe or cfg.clips)) in trained["inputs"].values()
    return float(trained["config"].get("data", {}).get("label_percent", 0)) if same else 0.0


def check_unseen(cfg: DictConfig) -> None:
    """ValueError when so many of the probed clips taught the quantizer their states that none are left to probe."""
    percent = labels_seen(cfg)
    keys = ShardIndex(shard_paths(Path(cfg.probe or cfg.clips))).keys if percent else []
    left = {episode_number(key) for key in keys if not shows_label(key, percent)}
    if percent and len(left) < LEAST_EPISODES:
        raise ValueError(
            f"{percent:g} % of these clips taught the quantizer their states, which leaves {len(left)} videos for the report "
            "card; probe=FOLDER names others"
        )


class Actions:
    """A robot's actions, as an inverse dynamics model sees them: float32 [n d] a pair, relative to the state at its first
    frame, in the embodiment's units.
    """

    record, stem = "PseudoAction", "actions"

    def __init__(self, model: InverseDynamics) -> None:
        self.model, self.none = model, torch.empty(0, *model.mean.shape)

    def label(self, before: Tensor, after: Tensor) -> Tensor:
        """Relative actions [b n d]."""
        return self.model.actions(before, after)

    def facts(self, trained: dict[str, Any], clips: dict[str, Any], cfg: DictConfig) -> dict[str, Any]:
        """Names, statistics and rate of the actions, whose bodies else are seen; ValueError when there are any, a warning
        with `other_bodies`.
        """
        if cfg.gap_s is not None:
            raise ValueError(f"this model tells the actions of {trained['gap_s']:g} s; leave gap_s={cfg.gap_s} out")
        bodies = set(clips.get("embodiments") or [clips.get("embodiment", "")]) - {""}
        others = sorted(bodies - {trained["embodiment"]})
        if others:
            words = (
                f"the clips show {', '.join(sorted(bodies))}; this model knows the actions of {trained['embodiment']}"
            )
            if not cfg.other_bodies:
                raise ValueError(f"{words}: other_bodies=true labels them all the same")
            warnings.warn(f"{words}, and labels with these", stacklevel=2)
        ours = {"action_hz": trained["fps"], "other_bodies": others}
        return ours | {key: trained[key] for key in ("gap_s", *FROM_DATA)}

    def report(self, out: Path, cfg: DictConfig, gap: int) -> tuple[dict[str, Any], str]:
        """How much each action varies, as a share of what it did in the demonstrations: near 0, it is the mean's echo; and R²
        where the clips are demonstrations, which tell the truth.
        """
        deviation = torch.cat(read_rows(out, self)).std(0) / self.model.std
        spread = dict(zip(self.model.action_names, deviation.mean(0).tolist(), strict=True))
        words = ", ".join(f"{name} {share:.2f}" for name, share in spread.items())
        r2 = self._r_squared(out, Path(cfg.clips), gap)
        said = "" if r2 is None else f"; R² against these clips' own actions {r2:.3f}"
        return {"spread": spread, "r2": r2}, f"variation, as a share of the demonstrations': {words}{said}"

    def _r_squared(self, out: Path, clips: Path, gap: int) -> float | None:
        """None where the clips tell no actions, or not at the model's rate."""
        names = {key: getattr(self.model, key) for key in ("embodiment", "action_names", "absolute")}
        truth = true_actions(clips, **names, gap=gap) if gap == self.model.action_steps else {}
        if not truth:
            return None
        labels = {key: rows for path in sidecars(out, self) for key, rows in load_file(path).items()}
        guess = torch.cat([labels[key] for key in truth])
        return r_squared(guess.flatten(1), torch.from_numpy(np.concatenate(list(truth.values()))).flatten(1))


LABELLERS: dict[str, Any] = {  # by the `_target_` in a checkpoint's settings
    "quantizer.model.Quantizer": Codes,
    "quantizer.inverse_dynamics.InverseDynamics": Actions,
}


def open_labeller(folder: Path) -> Labeller:
    """The labeller of a model folder; ValueError when it holds another kind of model or a damaged one."""
    target, model = _opened(Path(folder))
    return LABELLERS[target](model)


def load(folder: Path) -> Quantizer:
    """A trained quantizer in `eval` mode; ValueError when the folder holds another kind of model or a damaged one."""
    target, model = _opened(Path(folder))
    if not isinstance(model, Quantizer):
        raise ValueError(f"{folder} holds no quantizer, but {target}")
    return model


def _opened(folder: Path) -> tuple[str, nn.Module]:
    settings = checkpoint.load_settings(folder)
    target = settings.get("model", {}).get("_target_")
    if target not in LABELLERS:
        raise ValueError(f"{folder} holds {target or 'no model'}, which labels nothing; what does: {list(LABELLERS)}")
    model = checkpoint.build(settings["model"], allowed=("quantizer.",))
    checkpoint.load_weights(folder, model)
    return target, model.eval()


def read_rows(out: Path, labeller: Labeller) -> list[Tensor]:
    """All labels in a folder, shard by shard: [n …] each."""
    return [torch.cat([labeller.none, *load_file(path).values()]) for path in sidecars(out, labeller)]


def sidecars(out: Path, labeller: Labeller) -> list[Path]:
    """The files of labels in a folder, in the order of the shards."""
    return sorted(Path(out).glob(f"{labeller.stem}-*.safetensors"))
