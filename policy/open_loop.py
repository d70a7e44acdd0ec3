"""Demonstrations and a trained policy in; how far its actions are from theirs, joint by joint and step by step, out."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from lapa.checkpoint import seen_by
from lapa.executor import run_all
from lapa.files import write_json, write_jsonl
from lapa.relative import STILL, acted_manifest
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import manifest_hash, open_stage, read_manifest
from lapa.stats import signed_rank_p
from lapa.stream import split_indices
from policy.baselines import Guesses
from policy.infer import load
from policy.preflight import check_demos
from policy.replay import POLICY, Errors, replay_one

FACTS = ("embodiment", "fps", "state_names", "action_names", "cameras", "image_px")  # of the demonstrations' manifest


def main(cfg: DictConfig) -> None:
    """`lapa open_loop checkpoint=DIR demos=DIR out=DIR`: open_loop.json, a row an episode in open_loop.jsonl."""
    folder, checkpoint = Path(cfg.demos), Path(cfg.checkpoint)
    check_match(checkpoint, folder, split=cfg.split, val_percent=cfg.val_percent)
    policy = load(checkpoint, cfg.device, read_manifest(folder)["embodiment"])
    demos = ShardIndex(shard_paths(folder))
    held = split_indices(demos.keys, split=cfg.split, val_percent=cfg.val_percent)
    if not len(held):
        raise ValueError(f"no demonstration of {folder} is in split={cfg.split} with val_percent={cfg.val_percent}")
    with open_stage(cfg, {"checkpoint": checkpoint, "demos": folder}) as stage:
        if stage.done:
            return
        actions = training_actions(demos, val_percent=cfg.val_percent)
        spread = actions.std(axis=0)
        guesses = Guesses(state_names=policy.state_names, action_names=policy.action_names, mean=actions.mean(axis=0))
        replay = partial(replay_one, demos=demos, policy=policy, guesses=guesses, batch=cfg.batch)
        errors = list(run_all(replay, held.tolist(), num_workers=0, label="replay"))
        found = summarise(errors, spread, list(policy.action_names))
        write_json(stage.out / "open_loop.json", found)
        write_jsonl(stage.out / "open_loop.jsonl", (episode_row(one, spread) for one in errors))
        show(found, Console())
        stage.finish(record="OpenLoop", count=len(held), embodiment=policy.embodiment, policy_hash=policy.hash, **found)


def check_match(policy: Path, demos: Path, *, split: str, val_percent: int) -> None:
    """ValueError when the demonstrations are another robot's, or were trained on, also by what the policy began from."""
    facts, seen = acted_manifest(demos), seen_by(policy)
    check_demos(policy, {name: facts[name] for name in FACTS if name in facts})
    own = seen.get(manifest_hash(demos))
    if own is not None and (split, val_percent) != ("val", own):
        raise ValueError(f"the policy was trained on {demos}: it held out split=val with val_percent={own}")


def training_actions(demos: ShardIndex, *, val_percent: int) -> Float[np.ndarray, "m d"]:
    """Actions of the demonstrations that are not held out, of all when every one is: what the errors' scale comes from."""
    train = split_indices(demos.keys, split="train", val_percent=val_percent)
    chosen = train if len(train) else range(len(demos))
    return np.concatenate([demos[i]["action.npy"] for i in chosen]).astype(np.float64)


def summarise(errors: Sequence[Errors], spread: Float[np.ndarray, "d"], joints: list[str]) -> dict[str, Any]:
    """Mean absolute errors over all moments. joint: in its own units; step, all: in deviations of the training's action.

    Joints that never move in training have no scale and count in `joint` only.
    """
    counts, moving = np.sum([one.counts for one in errors], axis=0), spread >= STILL
    found: dict[str, Any] = {}
    for who in errors[0].sums:
        sums = np.sum([one.sums[who] for one in errors], axis=0)
        scaled = (sums / np.maximum(counts, 1))[:, moving] / spread[moving]
        found[who] = {
            "joint": (sums.sum(axis=0) / np.sum(counts)).tolist(),
            "step": scaled.mean(axis=1).tolist(),
            "all": float((sums[:, moving] / spread[moving]).sum() / (np.sum(counts) * moving.sum())),
        }
    rows = {who: [episode_row(one, spread)[who] for one in errors] for who in found}
    better = {
        who: {"episodes": int(np.sum(np.less(rows[POLICY], rows[who]))), "p": signed_rank_p(rows[POLICY], rows[who])}
        for who in Guesses.names
    }
    facts = {"moments": sum(one.moments for one in errors), "joints": joints, "spread": spread.tolist()}
    return facts | {"errors": found, "better_than": better}


def episode_row(one: Errors, spread: Float[np.ndarray, "d"]) -> dict[str, Any]:
    """The demonstration's mean error in deviations of the training's action, by who guessed."""
    moving = spread >= STILL
    weight = float(np.sum(one.counts)) * moving.sum()
    means = {who: float((sums[:, moving] / spread[moving]).sum() / weight) for who, sums in one.sums.items()}
    return {"key": one.key, "moments": one.moments, **means}


def show(found: dict[str, Any], console: Console) -> None:
    """A row a joint in its own units, then all of them in deviations of the training's action."""
    errors = found["errors"]
    table = Table("joint", *errors, title=f"mean |error| of {found['moments']} moments, in the robot's own units")
    for i, joint in enumerate(found["joints"]):
        table.add_row(
            joint, *(f"{errors[who]['joint'][i]:.4f}" for who in errors), end_section=i + 1 == len(found["joints"])
        )
    table.add_row("all, in deviations", *(f"{errors[who]['all']:.4f}" for who in errors))
    console.print(table)
    for who, row in found["better_than"].items():
        console.print(f"better than {who} in {row['episodes']} episodes, Wilcoxon p = {row['p']:.2g}")
