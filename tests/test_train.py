"""lapa.train: a training killed at any step and run again has the losses of an unbroken one."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

import lightning as L
import pytest
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from omegaconf import OmegaConf

from lapa import checkpoint
from lapa.callbacks import Switches
from lapa.files import write_json
from lapa.metrics import read_metrics
from lapa.shards import write_shard
from lapa.stage import open_stage, read_manifest
from lapa.stream import StreamData
from lapa.train import main
from lapa.video import encode_mp4


def take_brightness(sample, rng):
    return [sample["frames"][int(rng.integers(4))].float().mean() / 255 for _ in range(2)]


def make_data(folder: Path, batch_size: int, num_workers: int) -> StreamData:
    return StreamData(
        folder=folder, take=take_brightness, samples_per_clip=2, batch_size=batch_size, clips_per_block=4,
        val_percent=20, train_percent=100, val_batches=1, num_workers=num_workers, seed=0,
    )  # fmt: skip


class Toy(L.LightningModule):
    """Learns a mean, with noise in each step so that a wrong random state shows; can be told to die at a step."""

    def __init__(self, die_at: int | None):
        super().__init__()
        self.die_at, self.mean = die_at, torch.nn.Parameter(torch.zeros(1))

    def setup_from(self, facts):
        self.fps = facts["fps"]

    def training_step(self, batch, _):
        if self.global_step == self.die_at:
            raise ConnectionAbortedError("killed")
        loss = (self.mean - batch + 0.1 * torch.randn_like(batch)).square().mean()
        self.log("train/loss", loss)
        return loss

    def validation_step(self, batch, _):
        self.log("val/loss", (self.mean - batch).square().mean())

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.05)

    def export(self, folder):
        checkpoint.save(folder, self, {"fps": self.fps})
        return {"fps": self.fps}


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    with open_stage(OmegaConf.create({"out": str(folder)}), {}) as stage:
        torch.manual_seed(0)
        rows = [
            {"__key__": f"c{i}", "json": {}, "mp4": encode_mp4((torch.rand(4, 3, 16, 16) * 255).byte(), fps=10)}
            for i in range(20)
        ]
        stage.finish(record="Clip", count=write_shard(folder / "clips-000000.tar", rows), fps=10)
    return folder


def run(clips, out, *, num_workers=0, die_at=None, validate_every=4):
    here = "tests.test_train" if "tests" in __name__ else __name__
    cfg = OmegaConf.create({
        "out": str(out), "seed": 0, "inputs": ["clips"], "clips": str(clips), "num_workers": num_workers,
        "logger": {},
        "model": {"_target_": f"{here}.Toy", "die_at": die_at},
        "data": {"_target_": f"{here}.make_data", "folder": str(clips), "batch_size": 4, "num_workers": num_workers},
        "trainer": {
            "accelerator": "cpu", "max_steps": 12, "log_every_n_steps": 1, "val_check_interval": validate_every,
            "check_val_every_n_epoch": None, "save_every": 3, "enable_progress_bar": True,
            "compile": False, "checkpoint_activations": False,
        },
    })  # fmt: skip
    main(cfg)


def losses(out: Path) -> dict[int, float]:
    return read_metrics(out)["train/loss"]


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 2), (3, 1)])
def test_killed_and_resumed_equals_unbroken(clips, tmp_path, before, after):
    """Also with another number of the loader's processes, which is no part of the fingerprint."""
    run(clips, tmp_path / "whole", num_workers=2)
    with pytest.raises(ConnectionAbortedError):
        run(clips, tmp_path / "broken", num_workers=before, die_at=8)
    # the toy's own switch is part of the fingerprint: pretend the same settings were used
    (tmp_path / "broken" / "fingerprint.json").write_text((tmp_path / "whole" / "fingerprint.json").read_text())
    run(clips, tmp_path / "broken", num_workers=after)
    assert losses(tmp_path / "broken") == losses(tmp_path / "whole") and len(losses(tmp_path / "whole")) == 12
    one, other = (checkpoint.read_weights(tmp_path / name)["mean"] for name in ("whole", "broken"))
    assert torch.equal(one, other)


def test_the_manifest_tells_the_facts(clips, tmp_path):
    run(clips, tmp_path / "out")
    manifest = read_manifest(tmp_path / "out")
    assert manifest["fps"] == 10 and manifest["parameters"] == 1 and "val/loss" in manifest["final"]
    assert manifest["precision"] == "32-true"


def test_the_last_validation_is_of_the_weights_that_are_kept(clips, tmp_path):
    run(clips, tmp_path / "out", validate_every=5)
    steps = sorted(read_metrics(tmp_path / "out")["val/loss"])
    assert len(steps) == 3 and steps[-1] >= max(losses(tmp_path / "out")) == 11


def test_a_training_outlives_a_disk_that_is_full_at_its_end(clips, tmp_path, monkeypatch):
    def full(*_args, **_facts):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space"):
        patched.setattr("lapa.stage.write_json", full_at_manifest(full))
        run(clips, tmp_path / "out")
    assert (tmp_path / "out" / "resume" / "last.ckpt").is_file()
    before = len(list((tmp_path / "out" / "logs").rglob("metrics.csv")))
    run(clips, tmp_path / "out")
    assert read_manifest(tmp_path / "out")["parameters"] == 1 and not (tmp_path / "out" / "resume").exists()
    assert len(losses(tmp_path / "out")) == 12 and before == 1


def full_at_manifest(full):
    """write_json, but for manifests."""
    return lambda path, value: full() if path.name == "manifest.json" else write_json(path, value)


def test_checkpoints_are_written_beside_where_they_stay(clips, tmp_path, monkeypatch):
    """A temporary folder may be of another file system, where to move is to copy."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(ConnectionAbortedError):
        run(clips, tmp_path / "out", num_workers=0, die_at=8)
    assert (tmp_path / "out" / "resume" / "last.ckpt").is_file()
    assert {path.name for path in (tmp_path / "out" / "resume").iterdir()} == {"last.ckpt", "step.ckpt"}


def test_what_a_module_cannot_do_is_refused():
    divided = SimpleNamespace(strategy=ModelParallelStrategy())
    plain = SimpleNamespace(strategy=None)
    with pytest.raises(ValueError, match="trainer=ddp"):
        Switches(compile=False, checkpoint_activations=False).setup(divided, Toy(None), "fit")
    for compile in (True, False):
        with pytest.raises(ValueError, match="Toy cannot do"):
            Switches(compile=compile, checkpoint_activations=not compile).on_fit_start(plain, Toy(None))
