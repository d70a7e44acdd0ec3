"""A policy's settings, its training's manifest and what was measured of it in; the model card (README.md) out."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from policy.baselines import Guesses
from policy.bodies import each_robot
from policy.replay import POLICY

KINDS = {
    "action": "Pictures, words and joints → the next joint commands",
    "latent": "Picture and words → latent action codes",
}
Measured = Sequence[tuple[Path, Mapping[str, Any]]]  # folders of measurements and their manifests


def write_card(settings: Mapping[str, Any], trained: Mapping[str, Any], measured: Measured, *, licence: str) -> str:
    """Markdown with the hub's yaml header. Everything in it comes from settings and manifests; what is unknown says so."""
    model = settings["model"]
    robot = model.get("embodiment", "any robot")
    header = {
        "license": licence,
        "library_name": "lapa",
        "pipeline_tag": "robotics",
        "tags": ["robotics", "latent-actions"],
    }
    lines = ["---", *(f"{key}: {json.dumps(value)}" for key, value in header.items()), "---", ""]
    lines += [f"# {_plain(robot)}: {KINDS[settings['kind']]}", "", "| | |", "|---|---|"]
    rows = _what(settings, trained) | _how(trained)
    lines += [f"| {name} | {_plain(value)} |" for name, value in rows.items()]
    lines += [
        "",
        "## Measured",
        "",
        *_results(measured),
        "",
        "## Use",
        "",
        "```python",
        "from policy.pretrained import load",
        "",
    ]
    return "\n".join([*lines, 'policy = load("FOLDER or user/name", device="cpu")', "```", ""])


def _what(settings: Mapping[str, Any], trained: Mapping[str, Any]) -> dict[str, Any]:
    """Robot, cameras, rate, codebook, network."""
    model, facts = settings["model"], settings.get("facts", {})
    rows = {"robot": model.get("embodiment", "none: codes, not commands"), "cameras": ", ".join(model["cameras"])}
    rows |= {"pictures": f"{facts.get('image_px', '?')} px square", "rate": f"{facts.get('fps', '?')} Hz"}
    if "action_names" in model:
        for name, robot in each_robot(model).items():
            of = f" of {name}" if "embodiments" in robot else ""
            rows |= {f"{what}{of}": ", ".join(robot[f"{what[:-1]}_names"]) for what in ("states", "actions")}
            rows |= {f"told as they are, not relative to the state{of}": ", ".join(robot["absolute"]) or "none"}
        rows["chunk"] = f"{model['chunk_steps']} steps"
    codes = f"{model['codes_per_step']} codes a step"
    if "num_codes" in model:
        codes += f" of {model['num_codes']} each, {facts.get('gap_s', '?')} s ahead"
    rows |= {"codebook": codes, "backbone": model["backbone"]["_target_"], "head": model["head"]["_target_"]}
    return rows | {"parameters": trained.get("parameters", "?")}


def _how(trained: Mapping[str, Any]) -> dict[str, Any]:
    """What it was trained on, by the hashes of the inputs' manifests, for how long, and what its own validation said."""
    config, inputs = trained.get("config", {}), dict(trained.get("inputs", {}))
    rows: dict[str, Any] = {f"trained on: {name}": f"sha256 {mark[:16]}…" for name, mark in inputs.items()}
    if trained.get("record") == "ActionPolicy" and "init_from" not in inputs:
        rows["trained from"] = "scratch"
    share = config.get("data", {}).get("train_percent", 100)
    rows["share of the clips or demonstrations"] = f"{share:g} %" if share != 100 else "all that were not held out"
    steps, batch = trained.get("count", "?"), config.get("data", {}).get("batch_size", "?")
    rows["steps"] = f"{steps} of {batch} samples, seed {config.get('seed', '?')}"
    return rows | {name: f"{value:.4f}" for name, value in trained.get("final", {}).items() if name.startswith("val/")}


def _results(measured: Measured) -> list[str]:
    lines = [line for folder, manifest in measured for line in _result(folder, manifest)]
    return lines or ["Nothing yet: success is not known."]


def _result(folder: Path, manifest: Mapping[str, Any]) -> list[str]:
    if manifest["record"] == "OpenLoop":
        errors = ", ".join(f"{who} {manifest['errors'][who]['all']:.3f}" for who in (POLICY, *Guesses.names))
        text = f"Mean absolute error on {manifest['count']} demonstrations, in deviations of the training's actions: "
        return [f"- {text}{errors}."]
    held = json.loads((folder / "summary.json").read_text())["all"]["success_held"]
    low, high = held["wilson_95"]
    rate = f"{held['rate']:.0%} [{low:.0%}, {high:.0%}]"
    return [f"- Simulation, {manifest['count']} episodes: the goal was reached and held in {rate} (Wilson 95 %)."]


def _plain(value: Any) -> str:
    """A value as one cell: names come from data of strangers."""
    return " ".join(str(value).replace("|", "/").replace("<", "‹").split())
