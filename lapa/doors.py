"""The doors by name: which function each enters and what its help shows, read from yaml text alone (fast, no torch)."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import yaml


class Door(NamedTuple):
    """A sub-command: `module:function` entered with the configuration `configs/<name>.yaml`."""

    target: str
    summary: str
    words: tuple[
        str, ...
    ] = ()  # keys that a bare word fills, in order: `lapa tasks show NAME` is action=show name=NAME


DOORS = {
    "build": Door("video_data.build:main", "Raw videos → clip shards."),
    "convert": Door("video_data.convert:main", "A LeRobotDataset (folder or hub name) → demonstrations to train on."),
    "train": Door("lapa.train:main", "Train a quantizer, a latent policy or an action policy (experiment=…)."),
    "label": Door(
        "quantizer.label:main", "Clip shards + quantizer (or inverse dynamics) → codes (or actions) beside them."
    ),
    "imagine": Door(
        "quantizer.imagine:main", "Quantizer + clips (+ latent policy) → what codes do, chained: videos, PSNR."
    ),
    "foresee": Door(
        "policy.video_plan.foresee:main", "Video planner + held-out clips → what it imagines beside what happened."
    ),
    "propose": Door("sim_finetune.propose:main", "Generate simulated tasks and keep those that prove themselves."),
    "tasks": Door(
        "sim_finetune.tasks:main",
        "Look at tasks: list | show NAME | render [NAME] | play NAME | validate FILE | export | quality.",
        words=("action", "name"),
    ),
    "collect": Door("sim_finetune.collect:main", "Accepted tasks + robot → demonstrations by the scripted expert."),
    "rollout": Door("sim_finetune.rollout:main", "Policy + tasks → success on paired seeds, with videos."),
    "open_loop": Door(
        "policy.open_loop:main", "Policy + held-out demonstrations → how far its actions are from theirs."
    ),
    "export": Door("policy.pretrained:main", "Policy → a folder with a model card, as the Hugging Face hub takes it."),
    "serve": Door("policy.serve:main", "Action policy → websocket server for robots (openpi's protocol), batched."),
    "solve": Door("sim_finetune.solve:main", "Tasks without an expert → which of them search or learning can do."),
    "report": Door("lapa.report:main", "Finished runs → one page with tables, plots and videos."),
    "run": Door("lapa.recipe:main", "A recipe: doors in order, what is unchanged is skipped (recipe=demo)."),
}


def named(name: str, words: list[str]) -> list[str]:
    """What was typed after `lapa NAME` as overrides: bare words become `key=word` by the door's own keys."""
    keys, overrides = list(DOORS[name].words), []
    for word in words:
        bare = keys and "=" not in word
        overrides.append(f"{keys.pop(0)}={quoted(word)}" if bare else word)
    return overrides


def quoted(word: str) -> str:
    """A word that Hydra's grammar takes as it is: a path may hold spaces, commas and brackets."""
    return "'" + re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + found[2].replace("'", "\\'"), word) + "'"


def door_help(name: str, typed: Sequence[str] = ()) -> str:
    """The door's yaml, as it stands, the choices of the groups it names, and the yaml of each choice that was `typed`."""
    path = configs_dir() / f"{name}.yaml"
    text = path.read_text() if path.is_file() else ""
    groups = _groups(text)
    lines = [f"  {group}={{{','.join(names)}}}" for group, names in groups.items() if names]
    chosen = [(group, choice) for group, _, choice in (word.partition("=") for word in typed)]
    shown = [
        _shown(configs_dir() / group / f"{choice}.yaml") for group, choice in chosen if choice in groups.get(group, [])
    ]
    return f"configs/{name}.yaml:\n\n{text}\n" + "".join(shown) + ("choices:\n" + "\n".join(lines) if lines else "")


def _shown(path: Path) -> str:
    """A choice's yaml after those that its defaults list names."""
    text = path.read_text()
    folder, parents = path.parent, []
    for entry in yaml.safe_load(text).get("defaults", []):
        pairs = entry.items() if isinstance(entry, dict) else [(folder.name, entry)]
        parents += [configs_dir() / _folder(key) / f"{name}.yaml" for key, name in pairs]
    return "".join(_shown(parent) for parent in parents if parent.stem != "_self_") + (
        f"configs/{folder.name}/{path.name}:\n\n{text}\n"
    )


def override_keys(name: str) -> list[str]:
    """Words that can be typed after `lapa NAME`: `key=` for plain keys and `group=choice` for groups."""
    text = (configs_dir() / f"{name}.yaml").read_text()
    keys = [f"{key}=" for key in (yaml.safe_load(text) or {}) if key != "defaults"]
    return keys + [f"{group}={choice}" for group, names in _groups(text).items() for choice in names]


def _groups(text: str) -> dict[str, list[str]]:
    entries = (yaml.safe_load(text) or {}).get("defaults", [])
    folders = [_folder(str(key)) for entry in entries if isinstance(entry, dict) for key in entry]
    return {folder: sorted(path.stem for path in (configs_dir() / folder).glob("*.yaml")) for folder in folders}


def configs_dir() -> Path:
    """The folder of yaml files: inside the installed package, or `configs/` of the checkout."""
    here = Path(__file__).resolve().parent
    return here / "_configs" if (here / "_configs").is_dir() else here.parent / "configs"


def _folder(key: str) -> str:
    """The group that an entry of a defaults list names: `override /data@x` is of `data`."""
    return key.partition("@")[0].removeprefix("override ").removeprefix("optional ").strip("/ ")
