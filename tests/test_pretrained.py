"""policy.pretrained: what is exported acts as before, from a folder or the hub; what is wrong is refused; the card is true."""

import json
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from lapa import hub
from lapa.cli import enter
from lapa.records import Observation
from lapa.train import main as train
from policy.infer import load as load_trained
from policy.pretrained import load
from tests import policy_toys as toys


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A trained latent policy, an action policy that began with it, its open-loop errors, and both exported."""
    home = tmp_path_factory.mktemp("pretrained")
    demos, latent = toys.write_watched(home)
    own = [f"demos={demos}", f"init_from={latent}", f"out={home / 'policy'}", "data.val_percent=30"]
    train(toys.train_config("action_policy", *own))
    enter("open_loop", [f"checkpoint={home / 'policy'}", f"demos={demos}", f"out={home / 'error'}", "val_percent=30"])
    enter("export", [f"checkpoint={home / 'latent'}", f"out={home / 'latent_out'}"])
    more = [f"results=[{home / 'error'}]", "licence=cc-by-4.0"]
    enter("export", [f"checkpoint={home / 'policy'}", f"out={home / 'out'}", *more])
    return home


def observation(seed: int) -> Observation:
    rng = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 255, (3, toys.PX, toys.PX), generator=rng, dtype=torch.uint8)
    return Observation({"front": pixels}, "reach the red block", torch.randn(3, generator=rng))


def test_an_exported_policy_acts_as_the_trained_one(home):
    trained, out = load_trained(home / "policy", "cpu"), load(str(home / "out"), device="cpu")
    for seed in range(3):
        assert torch.equal(trained.act(observation(seed)).actions, out.act(observation(seed)).actions)
    assert out.hash == trained.hash and out.action_names == trained.action_names and out.embodiment == "panda"


def test_an_exported_latent_policy_names_the_same_codes(home):
    pixels = torch.stack([observation(seed).images["front"] for seed in range(3)])
    codes = [load(str(home / name), device="cpu").codes(pixels, ["reach"] * 3) for name in ("latent", "latent_out")]
    assert torch.equal(*codes) and codes[0].shape == (3, 4)


def test_the_folder_holds_the_hubs_files_and_nothing_that_executes(home):
    names = {path.name for path in (home / "out").iterdir()} - {"fingerprint.json", "timing.json"}
    assert names == {"README.md", "config.json", "manifest.json", "model.safetensors", "statistics.json"}
    assert "statistics" not in json.loads((home / "out/config.json").read_text())["model"]
    assert set(json.loads((home / "out/statistics.json").read_text())) >= {"state", "action"}


def test_training_and_evaluation_go_on_from_an_exported_folder(home, tmp_path):
    own = [f"demos={home / 'demos'}", f"out={tmp_path / 'more'}"]
    train(toys.train_config("action_policy", *own, f"init_from={home / 'latent_out'}"))
    train(toys.train_config("action_policy", own[0], f"out={tmp_path / 'on'}", f"init_from={home / 'out'}"))
    replay = [f"checkpoint={home / 'out'}", f"demos={home / 'demos'}", f"out={tmp_path / 'error'}"]
    with pytest.raises(ValueError, match="it held out split=val with val_percent=30"):
        enter("open_loop", [*replay, "val_percent=10"])
    enter("open_loop", [*replay, "val_percent=30"])
    errors = [json.loads((folder / "open_loop.json").read_text()) for folder in (home / "error", tmp_path / "error")]
    assert errors[0] == errors[1]


def test_the_card_tells_what_the_policy_is_and_what_was_measured(home):
    card = (home / "out/README.md").read_text()
    trained = json.loads((home / "policy/manifest.json").read_text())
    error = json.loads((home / "error/manifest.json").read_text())["errors"]["policy"]["all"]
    assert card.startswith('---\nlicense: "cc-by-4.0"\nlibrary_name: "lapa"\n')
    for words in (
        "| robot | panda |", "| cameras | front |", "| rate | 10 Hz |", "| actions | joint1, joint2, gripper |",
        f"| trained on: init_from | sha256 {trained['inputs']['init_from'][:16]}… |", "| chunk | 8 steps |",
        f"| val/loss | {trained['final']['val/loss']:.4f} |", "4 of 4 samples, seed 0", f"policy {error:.3f}, hold",
    ):  # fmt: skip
        assert words in card, words
    latent = (home / "latent_out/README.md").read_text()
    assert "4 codes a step of 8 each, 0.5 s ahead" in latent and "success is not known" in latent
    assert 'license: "unknown"' in latent


def test_success_of_another_policy_is_not_taken(home, tmp_path):
    other = tmp_path / "rollout"
    other.mkdir()
    (other / "manifest.json").write_text(json.dumps({"record": "Episode", "policy_hash": "0" * 16}))
    with pytest.raises(ValueError, match="was measured with another policy: 0000"):
        enter("export", [f"checkpoint={home / 'policy'}", f"out={tmp_path / 'out'}", f"results=[{other}]"])


def test_an_export_can_be_exported_again(home, tmp_path):
    enter("export", [f"checkpoint={home / 'out'}", f"out={tmp_path / 'again'}", "licence=cc-by-4.0"])
    for name in ("config.json", "model.safetensors", "statistics.json"):
        assert (tmp_path / "again" / name).read_bytes() == (home / "out" / name).read_bytes()
    told = [
        json.loads((folder / "manifest.json").read_text())["training"] for folder in (home / "out", tmp_path / "again")
    ]
    assert told[0] == told[1] and told[0]["record"] == "ActionPolicy"


def test_success_stands_on_the_card_with_its_interval(home, tmp_path):
    rollout, mark = tmp_path / "rollout", load_trained(home / "policy", "cpu").hash
    rollout.mkdir()
    (rollout / "manifest.json").write_text(json.dumps({"record": "Episode", "count": 40, "policy_hash": mark}))
    held = {"successes": 20, "rate": 0.5, "wilson_95": [0.35, 0.65]}
    (rollout / "summary.json").write_text(json.dumps({"all": {"success_held": held}}))
    enter("export", [f"checkpoint={home / 'policy'}", f"out={tmp_path / 'out'}", f"results=[{rollout}]"])
    assert "40 episodes: the goal was reached and held in 50% [35%, 65%]" in (tmp_path / "out/README.md").read_text()


def copied(home, tmp_path):
    for name in ("config.json", "model.safetensors", "statistics.json"):
        (tmp_path / name).write_bytes((home / "out" / name).read_bytes())
    return tmp_path


def test_foreign_code_in_the_settings_is_refused(home, tmp_path):
    folder = copied(home, tmp_path)
    settings = json.loads((folder / "config.json").read_text())
    settings["model"]["backbone"]["_target_"] = "os.system"
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=r"want to build 'os\.system'"):
        load(str(folder), device="cpu")


def test_damaged_folders_are_named(home, tmp_path):
    folder = copied(home, tmp_path)
    weights = load_file(folder / "model.safetensors")
    name = next(iter(weights))
    save_file(weights | {name: torch.zeros(7)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match=r"does not fit: .* has shape \(7,\)"):
        load(str(folder), device="cpu")
    (folder / "model.safetensors").write_bytes(b"\x80\x04pickle")
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged"):
        load(str(folder), device="cpu")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04pickle")
    with pytest.raises(ValueError, match="holds no model"):
        load(str(folder), device="cpu")
    (folder / "config.json").write_text('{"kind": "bert"}')
    with pytest.raises(ValueError, match="kind 'bert'; this loads action or latent"):
        load(str(folder), device="cpu")
    (folder / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json is damaged"):
        load(str(folder), device="cpu")


class FakeHub:
    """Keeps what it was sent."""

    def __init__(self):
        self.calls = []

    def create_repo(self, name, **settings):
        self.calls.append(("create", name, settings["private"]))
        return f"hub/{name}"

    def upload_folder(self, **settings):
        self.calls.append(("upload", settings["repo_id"], sorted(settings["allow_patterns"])))


def test_an_export_is_pushed_without_being_made_again_and_comes_back(home, tmp_path, monkeypatch, capsys):
    there = FakeHub()
    monkeypatch.setattr(hub, "HfApi", lambda: there)
    same = [f"checkpoint={home / 'policy'}", f"out={home / 'out'}", f"results=[{home / 'error'}]", "licence=cc-by-4.0"]
    enter("export", [*same, "push_to=someone/arm", "private=false"])
    assert "unchanged, skipped" in (said := capsys.readouterr().out) and "pushed to hub/someone/arm" in said
    assert there.calls == [("create", "someone/arm", False), ("upload", "someone/arm", sorted(hub.FILES["model"]))]
    monkeypatch.setattr(hub, "snapshot_download", lambda name, **_: str(home / "out"))
    assert load("someone/arm", device="cpu").embodiment == "panda"


def test_a_hub_that_does_not_answer_is_told_in_one_line(home, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="the hub does not take 'someone/arm': "):
        hub.push(home / "out", "someone/arm", private=True)
    refusing = SimpleNamespace(create_repo=lambda *_, **__: (_ for _ in ()).throw(PermissionError("not logged in")))
    with pytest.raises(ValueError, match="not logged in"):
        hub.push(home / "out", "someone/arm", private=True, api=refusing)
