"""Every yaml composes, and every `_target_` in it exists and takes the arguments the yaml gives it."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
import yaml

from lapa.config import compose
from lapa.doors import DOORS, configs_dir

FILES = sorted(configs_dir().rglob("*.yaml"))


def targets(node: Any) -> Iterator[dict]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield node
        for value in node.values():
            yield from targets(value)
    elif isinstance(node, list):
        for value in node:
            yield from targets(value)


def test_every_door_has_its_yaml():
    assert {f"{door}.yaml" for door in DOORS} <= {path.name for path in configs_dir().glob("*.yaml")}


def whole(path: Path) -> dict[str, Any]:
    """A yaml over those of its own group that its defaults list begins with."""
    own = yaml.safe_load(path.read_text()) or {}
    parents = [name for name in own.get("defaults", []) if isinstance(name, str) and name != "_self_"]
    trees = [whole(parent) for name in parents if (parent := path.parent / f"{name}.yaml").is_file()]
    lists = {"defaults": [entry for tree in (*trees, own) for entry in tree.get("defaults", [])]}
    return {key: value for tree in (*trees, own, lists) for key, value in tree.items()}


def defaults_of(path: Path) -> set[str]:
    """Keys that a yaml's defaults list fills: `/bottleneck@settings.bottleneck: vq` fills `bottleneck`."""
    entries = [entry for entry in whole(path)["defaults"] if isinstance(entry, dict)]
    return {str(key).partition("@")[2].rpartition(".")[2] or str(key).strip("/") for entry in entries for key in entry}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(configs_dir())))
def test_targets_exist_and_take_these_arguments(path):
    filled = defaults_of(path)
    for node in targets(whole(path)):
        target = hydra.utils.get_object(node["_target_"])
        names = inspect.signature(target).parameters
        given = {key for key in node if key != "defaults" and not (key.startswith("_") and key.endswith("_"))}
        signature = inspect.signature(target)
        bind = signature.bind_partial if node.get("_partial_") else signature.bind
        bind(**dict.fromkeys(given | (filled & set(names))))


def test_a_file_that_is_no_yaml_is_named(tmp_path):
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "torn.yaml").write_text("steps: {clips: [")
    with pytest.raises(ValueError, match=r"configuration of `run`: while parsing a flow node .*torn\.yaml"):
        compose("run", ["recipe=torn"], tmp_path)


@pytest.mark.parametrize("name", ["é", "Ünï/x", "a=b", "(1)", "my clips", "ab/c.d-e_f", "日本"])
def test_a_folder_may_have_any_name(name, tmp_path):
    cfg = compose("label", ["quantizer=q", f"clips=/data/{name}/clips", "out=x"])
    assert cfg.clips == f"/data/{name}/clips"
    assert compose("report", [f"runs=[/data/{name},/b]", "out=x"]).runs == [f"/data/{name}", "/b"]
    (tmp_path / name / "recipe").mkdir(parents=True)
    (tmp_path / name / "recipe" / "own.yaml").write_text("name: own\nsteps: {}\n")
    assert compose("run", ["recipe=own"], tmp_path / name).recipe.name == "own"


def test_a_recipe_whose_folder_has_any_name_composes_on():
    steps = compose("run", ["recipe=demo", "out='runs/é (1)'"]).recipe.steps
    assert compose("label", ["out=x", *steps.codes["with"]]).clips == "runs/é (1)/clips"


def test_home_is_meant_by_its_sign_and_what_is_no_name_is_told(monkeypatch):
    monkeypatch.setenv("HOME", "/home/é")
    assert compose("build", ["videos=~/my videos", "out=x"]).videos == "/home/é/my videos"
    with pytest.raises(ValueError, match="configuration of `label`"):
        compose("label", ["quantizer=q", "clips=[a", "out=x"])
