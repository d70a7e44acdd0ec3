"""policy.data: codes and actions stand beside the right frames; other labels and other clips are refused."""

import hydra
import numpy as np
import pytest
import torch
from hydra.errors import InstantiationException
from safetensors.numpy import save_file

import policy.sidecars as sidecar_module
from lapa.shards import ShardIndex, shard_paths
from lapa.stream import read_clip
from policy.data import take_demos
from policy.latents import Reading, Truth, take_steps
from policy.sidecars import read_sidecars, shuffled
from tests import policy_toys as toys


def latents(clips, codes):
    return hydra.utils.instantiate(toys.train_config("latent_policy", f"clips={clips}", f"codes={codes}", "out=o").data)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return toys.write_clips(tmp_path_factory.mktemp("data") / "clips")


def test_codes_stand_beside_their_frames(clips, tmp_path):
    data = latents(clips, toys.write_codes(tmp_path / "codes", clips))
    sample = read_clip(data.stream("all").index, 3)
    for step in data.take(sample, np.random.default_rng(0)):
        moment = int((step.codes[0] - 3) % 8)
        assert torch.equal(step.images["front"], sample["frames"][moment])
        assert step.codes.tolist() == [(3 + j + moment) % 8 for j in range(4)]


def test_shuffled_codes_are_the_same_rows_at_other_moments(tmp_path):
    codes = sidecars(tmp_path, {f"c{i}": np.arange(10 * i, 10 * i + 5 + i)[:, None].repeat(4, 1) for i in range(8)})
    mixed = shuffled(codes, seed=1)
    assert {key: rows.shape for key, rows in mixed.items()} == {key: rows.shape for key, rows in codes.items()}
    rows, others = (np.concatenate(list(each.values())) for each in (codes, mixed))
    assert np.array_equal(np.sort(rows, 0), np.sort(others, 0)) and (rows == others).all(1).mean() < 0.2
    assert all(np.array_equal(mixed[key], again) for key, again in shuffled(codes, seed=1).items())


def sidecars(folder, *shards):
    for number, rows in enumerate(shards):
        save_file(rows, folder / f"codes-{number:06d}.safetensors")
    return read_sidecars(folder, "codes")


def test_every_clip_has_its_own_rows(tmp_path, monkeypatch):
    shards = [
        {f"c{number}-{i}": np.full((i % 4, 3), 10 * number + i, np.uint8) for i in range(9)} for number in range(3)
    ]
    shards.insert(1, {})
    for hashed in (sidecar_module._hash, lambda name: np.uint64(len(name) % 2)):  # the second: keys that share a hash
        monkeypatch.setattr(sidecar_module, "_hash", hashed)
        found = sidecars(tmp_path, *shards)
        assert len(found) == 27 and {key: rows.tolist() for key, rows in found.items()} == {
            key: rows.tolist() for shard in shards for key, rows in shard.items()
        }
        assert "c1-9" not in found and "" not in found


def test_facts_come_from_the_labels(clips, tmp_path):
    facts = latents(clips, toys.write_codes(tmp_path / "codes", clips, num_codes=16)).facts()
    assert (facts["num_codes"], facts["codes_per_step"], facts["gap_s"], facts["cameras"]) == (16, 4, 0.5, ["front"])


def test_labels_of_other_clips(clips, tmp_path):
    codes = toys.write_codes(tmp_path / "codes", toys.write_clips(tmp_path / "other", first=20))
    with pytest.raises(InstantiationException, match="made for other clips"):
        latents(clips, codes)


def test_a_clip_without_codes(clips, tmp_path):
    data = latents(clips, toys.write_codes(tmp_path / "codes", clips, count=2))
    with pytest.raises(ValueError, match="clip 'c7' has no codes"):
        data.take(read_clip(data.stream("all").index, 7), np.random.default_rng(0))


def test_no_codes(clips, tmp_path):
    codes = toys.write_codes(tmp_path / "codes", clips)
    (codes / "codes-000000.safetensors").unlink()
    with pytest.raises(InstantiationException, match="no codes"):
        latents(clips, codes)


def test_a_chunk_ends_with_the_demonstration(tmp_path):
    demos = toys.write_demos(tmp_path / "demos", cameras=("front", "wrist"))
    sample = read_clip(ShardIndex(shard_paths(demos)), 0)
    cut = {"cameras": ["front", "wrist"], "chunk_steps": 5, "steps_per_clip": toys.FRAMES, "codes": {}}
    records = take_demos(sample, np.random.default_rng(0), **cut)
    actions = torch.from_numpy(sample["action.npy"])
    for record in records:
        moment = int((torch.from_numpy(sample["state.npy"]) - record.state).abs().sum(1).argmin())
        left = min(5, toys.FRAMES - moment)
        assert record.action_mask.all(dim=1).tolist() == [True] * left + [False] * (5 - left)
        assert torch.equal(record.actions[:left], actions[moment : moment + left])
        assert torch.equal(record.images["front"], sample["frames"][moment]) and record.images.keys() == {
            "front",
            "wrist",
        }
    assert {int(record.action_mask.all(dim=1).sum()) for record in records} == {1, 2, 3, 4, 5}


def test_more_moments_than_frames():
    sample = {"__key__": "a", "frames": torch.zeros(9, 3, 8, 8, dtype=torch.uint8), "json": {"text": ""}}
    codes = {"a": np.zeros((2, 4), np.int16)}
    reading = Reading("front", 5, False, Truth("", 0))
    steps = take_steps(sample, np.random.default_rng(0), codes=codes, gap_s=0.5, reading=reading)
    assert len(steps) == 5


def demonstrations(folder, *more):
    overrides = [f"demos={folder}", "init_from=null", "out=o", "data.val_percent=30", *more]
    return hydra.utils.instantiate(toys.train_config("action_policy", *overrides).data)


def test_a_share_of_the_demonstrations_lies_in_a_larger_one_and_leaves_validation_alone(tmp_path):
    folder = toys.write_demos(tmp_path / "demos")
    streams = [
        {
            split: demonstrations(folder, f"data.train_percent={percent}").stream(split).clips.tolist()
            for split in ("train", "val")
        }
        for percent in (1, 20, 60, 100)
    ]
    trained = [set(clips["train"]) for clips in streams]
    assert trained[0] <= trained[1] <= trained[2] <= trained[3] and len(trained[0]) == 1
    assert [len(clips) for clips in trained[1:]] == [round(len(trained[3]) * share) for share in (0.2, 0.6, 1)]
    assert all(clips["val"] == streams[3]["val"] for clips in streams) and not trained[3] & set(streams[3]["val"])


def test_clips_are_no_demonstrations(clips):
    with pytest.raises(Exception, match="holds Clip, without actions; give demonstrations"):
        demonstrations(clips)


def test_statistics_of_a_share_are_of_that_share(tmp_path):
    folder = toys.write_demos(tmp_path / "demos")
    data = demonstrations(folder, "data.train_percent=1")
    (clip,) = data.stream("train").clips
    state = data.stream("train").index[clip]["state.npy"]
    assert np.allclose(data.facts()["statistics"]["state"]["mean"], state.mean(0))
    with pytest.raises(ValueError, match="train_percent must be in"):
        demonstrations(folder, "data.train_percent=0").facts()
