"""Laws of the label door: the same codes to the bit after a kill, honest facts, faults named; the module trains and exports."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from small_quantizer import clip_folder, settings

from lapa.config import compose
from lapa.files import file_hash
from lapa.records import FramePair
from lapa.stage import open_stage, read_manifest
from quantizer import label
from quantizer.module import QuantizerModule


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Clips (2 Hz) and an untrained quantizer of gap 0.5 s, as `lapa train` would leave it."""
    root = tmp_path_factory.mktemp("label")
    clip_folder(root / "clips")
    torch.manual_seed(0)
    plain = settings()
    module = QuantizerModule(**{key: value for key, value in plain.items() if not key.startswith("_")})
    module.setup_from({"fps": 2.0, "gap_s": 0.5, "image_px": 24})
    module.configure_model()
    cfg = compose("label", ["quantizer=none", "clips=none", f"out={root / 'quantizer'}"])
    with open_stage(cfg, inputs={}) as stage:
        stage.finish(record="QuantizerModule", count=0, **module.export(stage.out))
    return root


def run(folders, out, *overrides):
    label.main(
        compose("label", [f"quantizer={folders / 'quantizer'}", f"clips={folders / 'clips'}", f"out={out}", *overrides])
    )
    return out


@pytest.fixture(scope="module")
def labels(folders):
    return run(folders, folders / "labels")


def test_a_row_for_each_frame_that_has_a_later_one(folders, labels):
    found = {key: rows for path in labels.glob("codes-*.safetensors") for key, rows in load_file(path).items()}
    assert (
        len(found) == 12 and {rows.shape for rows in found.values()} == {(8, 4)} and found["clip000"].dtype == np.int16
    )
    manifest = read_manifest(labels)
    assert manifest["count"] == 96 and manifest["num_codes"] == 8 and manifest["codes_per_step"] == 4
    assert manifest["gap_s"] == 0.5 and manifest["fps"] == 2.0 and set(manifest["inputs"]) == {"quantizer", "clips"}


def test_the_report_card_has_its_baselines_and_pictures(labels):
    found = json.loads((labels / "quality.json").read_text())
    assert {"codes_linear", "codes_mlp", "state_only", "first_frame", "shuffled"} <= set(found["probe"])
    assert found["probe_of"] == "motion of the tool" and 1 <= found["perplexity"] <= 8 and found["num_codes"] == 8
    assert all((labels / name).read_bytes().startswith(b"\x89PNG") for name in ("strips.png", "swaps.png"))


def test_killed_after_one_shard_it_goes_on_to_the_same_bytes(folders, labels, tmp_path, monkeypatch):
    original, calls = label.codes_of, []

    def dies(*args, **kwargs):
        calls.append(1)
        if len(calls) > 6:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(label, "codes_of", dies)
    with pytest.raises(KeyboardInterrupt):
        run(folders, tmp_path / "out")
    assert [path.name for path in sorted((tmp_path / "out").glob("codes*"))] == ["codes-000000.safetensors"]
    monkeypatch.setattr(label, "codes_of", original)
    run(folders, tmp_path / "out")
    for path in labels.glob("*.safetensors"):
        assert file_hash(path) == file_hash(tmp_path / "out" / path.name)


def test_faults_are_named(folders, tmp_path):
    with pytest.raises(ValueError, match="30 px; the quantizer was trained on 24 px"):
        run(folders, tmp_path / "a", f"clips={clip_folder(tmp_path / 'clips30', image_px=30)}")
    with pytest.raises(ValueError, match=r"0.5 s apart, which is 0.60 frames at 1.2 Hz"):
        run(folders, tmp_path / "b", f"clips={clip_folder(tmp_path / 'clips1', fps=1.2)}")
    with pytest.raises(ValueError, match="holds no model"):
        label.load(folders / "clips")


def test_a_loaded_quantizer_gives_the_trained_ones_codes(folders):
    first, second = label.load(folders / "quantizer"), label.load(folders / "quantizer")
    frames = torch.randint(0, 256, (5, 3, 24, 24), dtype=torch.uint8)
    assert torch.equal(label.codes_of(first, frames, gap=1, batch=2), label.codes_of(second, frames, gap=1, batch=64))


def test_clips_of_another_size_are_refused_before_training():
    plain = settings()
    module = QuantizerModule(**{key: value for key, value in plain.items() if not key.startswith("_")})
    with pytest.raises(ValueError, match="clips are 64 px; this quantizer reads image_px=24"):
        module.setup_from({"image_px": 64})


def test_a_batch_of_records_gives_a_finite_loss(folders):
    plain = settings()
    module = QuantizerModule(**{key: value for key, value in plain.items() if not key.startswith("_")})
    module.configure_model()
    module.log = module.log_dict = lambda *args, **kwargs: None
    frames = torch.randint(0, 256, (2, 8, 3, 24, 24), dtype=torch.uint8)
    batch = FramePair(["a"] * 8, frames[0], frames[1], torch.full((8,), 0.5), [""] * 8, torch.zeros(8, 0))
    loss = module.training_step(batch, 0)
    loss.backward()
    assert torch.isfinite(loss) and all(p.grad is not None for p in module.model.encoder.parameters())
