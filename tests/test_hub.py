"""lapa.hub: a policy in the hub's cache is trained on and measured by its name, without a network; what is not there is told."""

import shutil

import pytest

from lapa import hub
from lapa.cli import enter
from lapa.files import file_hash
from lapa.stage import read_manifest
from tests import policy_toys as toys
from tests import serving

COMMIT = "0" * 40


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A policy, and a hub's cache as huggingface_hub lays it out, which holds its export as someone/arm."""
    root = tmp_path_factory.mktemp("hub")
    checkpoint = serving.toy_checkpoint(root)
    enter("export", [f"checkpoint={checkpoint}", f"out={root / 'export'}", "licence=mit"])
    repository = root / "cache" / "models--someone--arm"
    shutil.copytree(root / "export", repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return root


@pytest.fixture(autouse=True)
def no_network(home, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "cache"))


def train(home, out, start):
    places = [f"demos={home / 'demos'}", f"init_from={start}", f"out={out}"]
    enter("train", ["experiment=action_policy", *toys.BACKBONE, *toys.STREAM, *toys.TRAINER, *places])
    return file_hash(out / "weights.safetensors")


def test_a_training_starts_from_a_name_as_from_the_folder(home, tmp_path):
    named, placed = (train(home, tmp_path / str(i), start) for i, start in enumerate(("someone/arm", home / "export")))
    assert named == placed != file_hash(home / "policy" / "weights.safetensors")
    inputs = [read_manifest(tmp_path / name)["inputs"] for name in ("0", "1")]
    assert inputs[0] == inputs[1] and "init_from" in inputs[0]


@pytest.mark.parametrize("name", ["someone/arm", f"someone/arm@{COMMIT}"])
def test_a_policy_is_measured_by_its_name(home, tmp_path, name):
    enter("open_loop", [f"checkpoint={name}", f"demos={home / 'demos'}", f"out={tmp_path / 'error'}"])
    assert read_manifest(tmp_path / "error")["policy_hash"] == file_hash(home / "policy" / "weights.safetensors")[:16]


def test_what_is_not_in_the_cache_is_told(home):
    with pytest.raises(ValueError, match="no folder someone/legs, and the hub gives no model 'someone/legs': "):
        enter("open_loop", ["checkpoint=someone/legs", "demos=-", "out=-"])
    with pytest.raises(ValueError, match="the hub gives no model 'someone/arm'"):
        hub.placed("init_from=someone/arm@v2")


def test_folders_and_other_words_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "someone" / "arm").mkdir(parents=True)
    for word in ("checkpoint=someone/arm", "checkpoint=/no/such", "checkpoint=a/b/c", "init_from=null", "out=someone/legs",
                 "checkpoint=./x", "experiment=action_policy"):  # fmt: skip
        assert hub.placed(word) == word
