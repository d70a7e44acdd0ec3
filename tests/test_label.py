"""Laws of the label door: the same codes to the bit after a kill or with other workers, honest facts, faults named."""

import json
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from small_quantizer import clip_folder, settings

from lapa import checkpoint
from lapa.config import compose
from lapa.executor import run_all
from lapa.files import file_hash
from lapa.precision import resolve
from lapa.records import FramePair
from lapa.shards import shard_paths
from lapa.stage import open_stage, read_manifest
from lapa.video import gap_in
from quantizer import label, labellers
from quantizer.labellers import Codes, load
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
    places = [f"quantizer={folders / 'quantizer'}", f"clips={folders / 'clips'}", f"out={out}"]
    label.main(compose("label", [*places, "num_workers=0", *overrides]))
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


def test_labels_at_another_gap_than_the_quantizers_own(folders, tmp_path):
    out = run(folders, tmp_path / "slow", "gap_s=1.5")
    rows = [rows for path in out.glob("codes-*.safetensors") for rows in load_file(path).values()]
    assert {row.shape for row in rows} == {(6, 4)} and read_manifest(out)["gap_s"] == 1.5


def test_a_gap_that_their_rate_has_not_is_told_as_it_is_and_one_they_are_too_short_for_is_refused(folders, tmp_path):
    assert read_manifest(run(folders, tmp_path / "near", "gap_s=0.55"))["gap_s"] == 0.5
    about = {"fps": 10, "min_clip_s": 0.7}
    assert gap_in(about, 0.6) == 6 and gap_in({"fps": 10}, 0.7) == 7
    with pytest.raises(ValueError, match="needs longer clips"):
        gap_in(about, 0.7)


def test_what_is_probed_may_have_a_rate_of_its_own_but_not_another_size(folders, tmp_path, monkeypatch):
    """At half the gap in seconds the card was of other motions than the codes."""
    gaps = []

    def written(*_, gap, **__):
        gaps.append(gap)
        return {"perplexity": 1.0, "good_enough": False, "verdict": []}

    monkeypatch.setattr(labellers, "write_quality", written)
    run(folders, tmp_path / "one", f"probe={clip_folder(tmp_path / 'fast', fps=4.0)}")
    run(folders, tmp_path / "two")
    assert gaps == [2, 1]
    with pytest.raises(ValueError, match="has pictures of 32 px, the clips of 24"):
        run(folders, tmp_path / "three", f"probe={clip_folder(tmp_path / 'large', image_px=32)}")
    assert not list((tmp_path / "three").glob("codes-*"))


def test_the_report_card_has_its_baselines_and_pictures(labels):
    found = json.loads((labels / "quality.json").read_text())
    assert {"codes_linear", "codes_mlp", "state_only", "first_frame", "shuffled"} <= set(found["probe"])
    assert found["probe_of"] == "motion of the tool" and 1 <= found["perplexity"] <= 8 and found["num_codes"] == 8
    assert all((labels / name).read_bytes().startswith(b"\x89PNG") for name in ("strips.png", "swaps.png"))


def test_killed_after_one_shard_it_goes_on_to_the_same_bytes(folders, labels, tmp_path, monkeypatch):
    original, calls = label.labels_of, []

    def dies(*args, **kwargs):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(label, "labels_of", dies)
    with pytest.raises(KeyboardInterrupt):
        run(folders, tmp_path / "out")
    assert [path.name for path in sorted((tmp_path / "out").glob("codes*"))] == ["codes-000000.safetensors"]
    monkeypatch.setattr(label, "labels_of", original)
    run(folders, tmp_path / "out")
    same_bytes(labels, tmp_path / "out")
    rows = [json.loads(row) for row in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["pairs"] == 48 and rows[-1]["pairs_per_s"] > 0, "the rate is of what this run made"


def same_bytes(one, other):
    names = [path.name for path in sorted(one.glob("*.safetensors"))]
    assert names == [path.name for path in sorted(other.glob("*.safetensors"))] and len(names) == 2
    assert all(file_hash(one / name) == file_hash(other / name) for name in names)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_neither_threads_nor_processes_change_a_byte(folders, labels, tmp_path, num_workers):
    works = [
        label.Work(shard, tmp_path / f"codes-{i:06d}.safetensors")
        for i, shard in enumerate(shard_paths(folders / "clips"))
    ]
    how = label.How(gap=1, batch=64, precision=resolve("auto", "cpu"), device="cpu")
    work = partial(label.label_shard, folder=str(folders / "quantizer"), trained="", how=how)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    made = list(run_all(work, works, num_workers=num_workers, label="labels"))
    assert made == [label.Labelled(48, 48)] * 2 and torch.get_num_threads() == 2, "the caller's threads are given back"
    torch.set_num_threads(threads)
    same_bytes(labels, tmp_path)


def test_precision_is_a_setting_and_part_of_the_result(folders, tmp_path):
    made = {name: run(folders, tmp_path / name, f"precision={name}") for name in ("32-true", "bf16-mixed")}
    both = [torch.cat(list(label.load_file(out / "codes-000000.safetensors").values())) for out in made.values()]
    assert (both[0] == both[1]).float().mean() > 0.9
    assert {name: read_manifest(out)["precision"] for name, out in made.items()} == {name: name for name in made}
    with pytest.raises(ValueError, match="holds a result of other settings"):
        run(folders, tmp_path / "32-true")
    with pytest.raises(ValueError, match="no precision 'half'; there are auto, 32-true, bf16-mixed"):
        run(folders, tmp_path / "other", "precision=half")


class Counting:
    """A labeller whose label of a pair is the first frame's number and the second's; clip i's frames have i·10 + t."""

    none = torch.empty(0, 2, dtype=torch.int16)

    def __init__(self):
        self.batches = []

    def label(self, before, after):
        self.batches.append(len(before))
        return torch.stack((before[:, 0, 0, 0], after[:, 0, 0, 0]), 1)


@pytest.mark.parametrize("lengths", [(5, 1, 9, 3), (2, 2), (3, 7)])
def test_pairs_are_cut_across_clips_and_find_their_way_back(lengths, monkeypatch):
    grey = [(10 * i + torch.arange(n, dtype=torch.uint8))[:, None, None, None] for i, n in enumerate(lengths)]
    monkeypatch.setattr(label, "decode_mp4", lambda number: grey[number].expand(-1, 3, 4, 4))
    samples = [{"__key__": f"k{i}", "mp4": i} for i in range(len(lengths))]
    labeller = Counting()
    found = label.labels_of(labeller, samples, label.How(gap=2, batch=4, precision="32-true", device="cpu"))
    assert list(found) == [f"k{i}" for i in range(len(lengths))]
    for i, n in enumerate(lengths):
        assert found[f"k{i}"].tolist() == [[10 * i + t, 10 * i + t + 2] for t in range(max(0, n - 2))]
    pairs = sum(max(0, n - 2) for n in lengths)
    assert labeller.batches == [4] * (pairs // 4) + [pairs % 4] * (pairs % 4 > 0)


def test_faults_are_named(folders, tmp_path):
    with pytest.raises(ValueError, match="30 px; the quantizer was trained on 24 px"):
        run(folders, tmp_path / "a", f"clips={clip_folder(tmp_path / 'clips30', image_px=30)}")
    with pytest.raises(ValueError, match=r"0.5 s apart, which is 0.60 frames at 1.2 Hz"):
        run(folders, tmp_path / "b", f"clips={clip_folder(tmp_path / 'clips1', fps=1.2)}")
    with pytest.raises(ValueError, match="holds no model"):
        label.open_labeller(folders / "clips")


def test_a_model_that_labels_nothing_is_refused_before_it_is_built(tmp_path):
    checkpoint.save(tmp_path, torch.nn.Linear(1, 1), {"model": {"_target_": "policy.models.LatentModel"}})
    with pytest.raises(ValueError, match="LatentModel, which labels nothing; what does: .*Quantizer"):
        label.open_labeller(tmp_path)


def test_a_continuous_quantizer_has_no_codes_to_write():
    with pytest.raises(ValueError, match="continuous quantizer .* has no codes"):
        Codes(SimpleNamespace(num_codes=1, codes_per_step=4))


@pytest.mark.parametrize(("num_codes", "dtype"), [(8, torch.int16), (2**15, torch.int16), (2**15 + 1, torch.int32)])
def test_codes_are_stored_in_numbers_that_hold_them(num_codes, dtype):
    assert Codes(SimpleNamespace(num_codes=num_codes, codes_per_step=4)).none.dtype == dtype


def test_a_loaded_quantizer_gives_the_same_codes_again(folders):
    frames = torch.randint(0, 256, (2, 5, 3, 24, 24), dtype=torch.uint8)
    first, second = (load(folders / "quantizer").codes(*frames) for _ in range(2))
    assert torch.equal(first, second)


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


@pytest.mark.slow
def test_ray_with_two_workers_changes_no_byte(folders, labels, tmp_path):
    pytest.importorskip("ray")
    same_bytes(labels, run(folders, tmp_path / "out", "executor=ray", "num_workers=2"))
    assert read_manifest(tmp_path / "out")["files"] == read_manifest(labels)["files"]
