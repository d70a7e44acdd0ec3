"""Laws of inverse dynamics: actions as the policy takes them, a batch is learnt, the same labelling door, faults named."""

import hydra
import numpy as np
import pytest
import torch
from policy_toys import FRAMES, write_clips, write_demos
from safetensors.torch import load_file
from small_quantizer import clip_folder

from lapa import checkpoint, train
from lapa.config import compose
from lapa.files import file_hash
from lapa.metrics import read_metrics
from lapa.relative import state_sources
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import read_manifest
from lapa.stream import read_clip
from policy.normalise import Normaliser
from quantizer import label
from quantizer.actions import relative_actions, take_actions
from quantizer.labellers import load, open_labeller

SMALL = [
    "settings.image_px=32", "settings.patch_px=8", "settings.dim=32", "settings.depth=1", "settings.num_heads=2",
    "settings.motion.match_px=16", "settings.motion.grid=4", "settings.motion.radius_px=4",
    "settings.motion.most_changed=32",
]  # fmt: skip
STREAM = ["data.batch_size=4", "data.val_batches=2", "data.clips_per_block=4", "data.pairs_per_clip=4"]
TRAINER = [
    "trainer.max_steps=4", "trainer.val_check_interval=2", "trainer.log_every_n_steps=1", "trainer.precision=32-true",
    "num_workers=0", "trainer.save_every=2",
]  # fmt: skip
GAP = 5  # frames in 0.5 s of the toys' 10 Hz


def config(*more):
    return compose("train", ["experiment=inverse_dynamics", *(f"model.{w}" for w in SMALL), *STREAM, *TRAINER, *more])


def built(demos, *more):
    cfg = config(f"demos={demos}", "out=unused", *more)
    torch.manual_seed(0)
    data, module = hydra.utils.instantiate(cfg.data), hydra.utils.instantiate(cfg.model)
    module.setup_from(data.facts())
    module.configure_model()
    module.log = module.log_dict = lambda *_, **__: None
    return module, data


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    return write_demos(tmp_path_factory.mktemp("idm") / "demos")


@pytest.fixture(scope="module")
def trained(demos):
    out = demos.parent / "idm"
    train.main(config(f"demos={demos}", f"out={out}"))
    return out


def label_with(model, clips, out, *more):
    label.main(compose("label", [f"quantizer={model}", f"clips={clips}", f"out={out}", "num_workers=0", *more]))
    return out


def test_rows_are_the_next_actions_less_the_state_now():
    state, action = np.arange(12.0).reshape(6, 2), 100 + np.arange(12.0).reshape(6, 2)
    rows = relative_actions(state, action, sources=[1, -1], gap=3)
    assert rows.shape == (3, 3, 2)
    for i in range(3):
        assert (rows[i, :, 0] == action[i : i + 3, 0] - state[i, 1]).all() and (
            rows[i, :, 1] == action[i : i + 3, 1]
        ).all()


def test_a_pair_has_its_own_frames_and_actions(demos):
    sample = read_clip(ShardIndex(shard_paths(demos)), 0)
    pairs = take_actions(sample, np.random.default_rng(0), gap=GAP, sources=[0, 1, -1], pairs_per_clip=FRAMES - GAP)
    starts = [int((sample["frames"] == pair.before).flatten(1).all(1).nonzero()) for pair in pairs]
    assert sorted(starts) == list(range(FRAMES - GAP))
    for start, pair in zip(starts, pairs, strict=True):
        assert torch.equal(pair.after, sample["frames"][start + GAP])
        wanted = torch.from_numpy(sample["action.npy"][start : start + GAP].copy())
        wanted[:, :2] -= torch.from_numpy(sample["state.npy"][start, :2])
        torch.testing.assert_close(pair.actions, wanted)


def test_what_was_sent_is_learnt_not_what_was_wanted_as_pictures_show_it():
    state, wanted = np.zeros((4, 1), np.float32), np.ones((4, 1), np.float32)
    sample = {"__key__": "k", "frames": torch.zeros(4, 3, 2, 2), "state.npy": state, "action.npy": wanted}
    told = [
        take_actions(each, np.random.default_rng(0), gap=2, sources=[0], pairs_per_clip=1)[0].actions.unique().item()
        for each in (sample, sample | {"executed.npy": 3 * wanted})
    ]
    assert told == [1, 3]


def test_scaled_they_are_what_the_policy_trains_on(demos):
    """Rooms do not import one another; this holds them to one definition."""
    module, data = built(demos)
    facts = data.facts()
    sample = ShardIndex(shard_paths(demos))[0]
    names = list(data.manifest["state_names"])
    state_moments = {"mean": [[0.0] * 3], "std": [[1.0] * 3]}
    theirs = Normaliser(
        state_names=names, action_names=facts["action_names"], absolute=facts["absolute"],
        statistics={"state": state_moments, "action": facts["statistics"]}, normalisation="mean_std",
    )  # fmt: skip
    assert data.sources == theirs.sources == state_sources(names, names, ["gripper"])
    ours = relative_actions(sample["state.npy"], sample["action.npy"], sources=data.sources, gap=GAP)
    chunks = torch.stack([torch.from_numpy(sample["action.npy"][i : i + GAP].copy()) for i in range(len(ours))])
    wanted = theirs.normalise(torch.from_numpy(sample["state.npy"][: len(ours)]), chunks)
    torch.testing.assert_close(module.model.normalise(torch.from_numpy(ours)), wanted)


def test_statistics_make_the_training_actions_standard(demos):
    module, data = built(demos, "data.val_percent=0")
    index = ShardIndex(shard_paths(demos))
    samples = (index[i] for i in range(len(index)))
    rows = [relative_actions(s["state.npy"], s["action.npy"], sources=data.sources, gap=GAP) for s in samples]
    scaled = module.model.normalise(torch.from_numpy(np.concatenate(rows)))
    assert scaled.mean(0).abs().max() < 1e-4 and (scaled.std(0) - 1).abs().max() < 0.02


def test_it_learns_a_batch(demos):
    module, data = built(demos)
    batch = next(iter(data._loader(data.stream("train"))))
    optimiser = torch.optim.AdamW(module.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        loss = module.training_step(batch, 0)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_training_tells_r2_errors_in_units_and_all_a_reader_needs(trained):
    assert {"val/r2", "val/loss", "val/error_joint1", "val/error_gripper"} <= read_metrics(trained).keys()
    manifest = read_manifest(trained)
    assert (manifest["embodiment"], manifest["action_steps"], manifest["gap_s"], manifest["fps"]) == (
        "panda",
        5,
        0.5,
        10,
    )
    assert manifest["absolute"] == ["gripper"] and np.array(manifest["statistics"]["std"]).shape == (5, 3)


def test_predicting_the_mean_is_r2_zero_and_the_truth_one(demos):
    module, _ = built(demos)
    found = {}
    module.log = lambda name, value, **_: found.update({name: value})
    truth = torch.randn(64, 5, 3)
    for guess, wanted in ((truth, 1.0), (truth.mean(0).expand_as(truth), 0.0)):
        module.seen.append((guess, truth))
        module.on_validation_epoch_end()
        assert found["val/r2"] == pytest.approx(wanted, abs=1e-5)


def test_one_door_labels_with_both(trained, demos, tmp_path):
    out = label_with(trained, demos, tmp_path / "out")
    rows = load_file(out / "actions-000000.safetensors")
    assert len(rows) == 20 and {tuple(r.shape) for r in rows.values()} == {(FRAMES - GAP, 5, 3)}
    manifest = read_manifest(out)
    assert (manifest["record"], manifest["count"], manifest["action_hz"]) == ("PseudoAction", 20 * (FRAMES - GAP), 10)
    assert manifest["action_names"] == ["joint1", "joint2", "gripper"] and manifest["embodiment"] == "panda"
    assert manifest["statistics"] == read_manifest(trained)["statistics"]
    again = label_with(trained, demos, tmp_path / "again")
    assert file_hash(out / "actions-000000.safetensors") == file_hash(again / "actions-000000.safetensors")
    model = open_labeller(trained).model
    frames = read_clip(ShardIndex(shard_paths(demos)), 0)["frames"]
    exact = label_with(trained, demos, tmp_path / "exact", "precision=32-true")
    with torch.inference_mode():
        wanted = model.actions(frames[:-GAP], frames[GAP:])
    torch.testing.assert_close(load_file(exact / "actions-000000.safetensors")["d0"], wanted, atol=1e-5, rtol=1e-4)


def test_the_loaded_model_is_the_trained_one(trained):
    first, second = open_labeller(trained).model, open_labeller(trained).model
    assert torch.equal(first.std, torch.tensor(read_manifest(trained)["statistics"]["std"]))
    frames = torch.randint(0, 256, (2, 3, 3, 32, 32), dtype=torch.uint8)
    assert torch.equal(first.actions(*frames), second.actions(*frames))


def test_other_bodies_only_when_asked(trained, tmp_path):
    hand = write_demos(tmp_path / "hand", embodiment="hand")
    with pytest.raises(
        ValueError, match="the clips show hand; this model knows the actions of panda: other_bodies=true"
    ):
        label_with(trained, hand, tmp_path / "out")
    assert (
        read_manifest(label_with(trained, hand, tmp_path / "out", "other_bodies=true", "overwrite=true"))["count"]
        == 140
    )
    nobody_said = write_clips(tmp_path / "clips", count=2)
    assert read_manifest(label_with(trained, nobody_said, tmp_path / "said"))["count"] == 2 * (FRAMES - GAP)


def test_faults_are_named(trained, demos, tmp_path):
    clips = write_clips(tmp_path / "clips")
    with pytest.raises(Exception, match="holds Clip, without actions; give demonstrations"):
        built(clips)
    with pytest.raises(ValueError, match="demonstrations are 32 px; this model reads image_px=64"):
        built(demos, "model.settings.image_px=64", "model.settings.patch_px=16")
    with pytest.raises(ValueError, match=r"has 12 steps; a gap of 12 does not fit"):
        built(demos, "data.gap_s=1.2")
    with pytest.raises(Exception, match=r"0.04 s apart, which is 0.40 frames at 10 Hz"):
        built(demos, "data.gap_s=0.04")
    with pytest.raises(ValueError, match="24 px; the quantizer was trained on 32 px"):
        label_with(trained, clip_folder(tmp_path / "small"), tmp_path / "a")
    with pytest.raises(ValueError, match="holds no quantizer, but quantizer.inverse_dynamics.InverseDynamics"):
        load(trained)


def test_settings_of_a_file_may_not_build_anything_else(trained, tmp_path):
    settings = checkpoint.load_settings(trained)
    settings["model"]["motion"]["_target_"] = "os.system"
    checkpoint.save(tmp_path, torch.nn.Linear(1, 1), settings)
    with pytest.raises(ValueError, match="want to build 'os.system'"):
        open_labeller(tmp_path)
