"""VPT's and ActionVLA's chains at toy size: a robot's actions for videos, a policy pretrained on them, the same fine-tuning."""

from itertools import islice

import hydra
import numpy as np
import pytest
import torch
from hydra.errors import InstantiationException
from omegaconf import OmegaConf
from safetensors.numpy import load_file, save_file
from test_inverse_dynamics import config as inverse_config
from test_inverse_dynamics import label_with
from test_policy import learn, observation

from lapa.config import choices, compose
from lapa.metrics import read_metrics
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import open_stage, read_manifest
from lapa.stream import read_clip
from lapa.train import main
from policy import infer
from policy.pseudo import Reading, _truth
from policy.pseudo_policy import ignore_state
from quantizer.actions import true_actions
from tests import policy_toys as toys

GAP = 5  # frames in 0.5 s of the toys' 10 Hz: shorter than a chunk of 8
HEADS = [name for name in choices("head") if name not in ("parallel", "autoregressive")]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Demonstrations of a robot, its inverse dynamics, clips, and the actions it saw in them."""
    root = tmp_path_factory.mktemp("vpt")
    demos = toys.write_demos(root / "demos")
    main(inverse_config(f"demos={demos}", f"out={root / 'inverse_dynamics'}"))
    clips = toys.write_clips(root / "clips")
    label_with(root / "inverse_dynamics", clips, root / "actions", "other_bodies=true")
    return root


@pytest.fixture(scope="module")
def pretrained(root):
    """The policy that VPT pretrains."""
    main(config(root, f"out={root / 'pretrained'}"))
    return root / "pretrained"


def config(root, *more):
    folders = [f"clips={root / 'clips'}", f"actions={root / 'actions'}", f"demos={root / 'demos'}", "out=unused"]
    return toys.train_config("pseudo_policy", *folders, *more)


def introduced(cfg):
    """Module and data of a configuration, introduced to each other."""
    torch.manual_seed(0)
    data, module = hydra.utils.instantiate(cfg.data), hydra.utils.instantiate(cfg.model)
    module.setup_from(data.facts())
    return module, data


def write_truth(root, folder):
    """The true actions of the demonstrations, as `lapa label` would have written them if it were without fault."""
    robot = {"embodiment": "panda", "action_names": toys.NAMES, "absolute": ["gripper"]}
    with open_stage(OmegaConf.create({"out": str(folder)}), {"clips": root / "demos"}) as stage:
        rows = true_actions(root / "demos", **robot, gap=GAP)
        save_file(
            {key: np.ascontiguousarray(each) for key, each in rows.items()}, folder / "actions-000000.safetensors"
        )
        stage.finish(record="PseudoAction", count=20, action_hz=10, gap_s=0.5, **robot)
    return folder


def test_the_chain_of_vpt(root, pretrained):
    assert {"train/loss", "val/loss", "val/mean_error"} <= read_metrics(pretrained).keys()
    assert "val/truth_error" not in read_metrics(pretrained), "these clips tell no actions"
    manifest = read_manifest(pretrained)
    assert (manifest["embodiment"], manifest["chunk_steps"], manifest["fps"]) == ("panda", 8, 10)
    folders = [f"demos={root / 'demos'}", f"init_from={pretrained}", f"out={root / 'policy'}"]
    main(toys.train_config("action_policy", *folders))
    assert read_manifest(root / "policy")["embodiment"] == "panda"


def test_pseudo_actions_are_learnt(root):
    module, data = introduced(config(root, "model.shift_px=0"))
    batch = next(iter(data._loader(data.stream("train"))))
    losses = learn(module, lambda: module.training_step(batch, 0), steps=60)
    assert losses[-1] < 0.5 * losses[0]


def test_a_step_is_the_label_of_its_own_frame_and_masked_past_its_end(root):
    module, data = introduced(config(root))
    sample = read_clip(ShardIndex(shard_paths(root / "clips")), 0)
    rows = load_file(root / "actions" / "actions-000000.safetensors")["c0"]
    statistics = data.facts()["statistics"]["action"]
    for step in data.take(sample, np.random.default_rng(0)):
        moment = int((sample["frames"] == step.images["front"]).flatten(1).all(1).nonzero())
        assert step.action_mask.all(1).tolist() == [True] * GAP + [False] * 3
        scaled = module.model.normaliser.normalise(step.state[None], step.actions[None])[0, :GAP]
        mean, std = (np.array(statistics[key])[:GAP] for key in ("mean", "std"))
        np.testing.assert_allclose(scaled, (rows[moment] - mean) / std, atol=1e-4)


@pytest.mark.parametrize("head", HEADS)
def test_it_is_deaf_to_the_state_until_it_is_fine_tuned(root, tmp_path, head):
    small = ["model.head.hidden=32"] if head != "fast" else ["model.head.decoder_width=32", "model.head.num_heads=2"]
    more = [f"head@model.head={head}", *small, "model.shift_px=0"]
    module, data = introduced(config(root, *more))
    batch = next(iter(data._loader(data.stream("train"))))
    learn(module, lambda: module.training_step(batch, 0), steps=3)
    module.eval().export(tmp_path)
    folders = [f"demos={root / 'demos'}", f"init_from={tmp_path}", "out=unused"]
    tuned, _ = introduced(toys.train_config("action_policy", *folders, *more))
    seen, texts, moved = module.see(batch), list(batch.text), batch.state + torch.randn_like(batch.state)
    wanted = module.model.normaliser.normalise(batch.state, batch.actions)

    def loss(model, state):
        torch.manual_seed(0)  # a flow draws its noise
        scaled = model.normaliser.state(state)
        return model.actions.loss(model.trunk(seen, texts), scaled, wanted, batch.action_mask).item()

    tuned.eval()
    assert loss(module.model, batch.state) == pytest.approx(loss(tuned.model, moved), abs=1e-6)
    assert all(weight.requires_grad for weight in tuned.parameters())
    tuned.train()
    learn(tuned, lambda: tuned.model.loss(seen, texts, moved, batch.actions, batch.action_mask), steps=3)
    assert loss(tuned.eval().model, batch.state) != pytest.approx(loss(tuned.model, moved), abs=1e-6)
    readers = [each.weight for name, each in tuned.model.actions.named_modules() if name.endswith(("state.0", "state"))
               and isinstance(each, torch.nn.Linear)]  # fmt: skip
    assert readers and all(weight.abs().max() > 0 for weight in readers)


def test_a_head_whose_state_is_not_found_is_refused():
    with pytest.raises(ValueError, match="Linear has no module `state`"):
        ignore_state(torch.nn.Linear(3, 3))


def test_where_clips_know_their_actions_errors_are_against_the_truth(root, tmp_path):
    labels = write_truth(root, tmp_path / "truth")
    module, data = introduced(config(root, f"clips={root / 'demos'}", f"actions={labels}"))
    batch = next(iter(data._loader(data.stream("val"))))
    torch.testing.assert_close(batch.truth[batch.step.action_mask], batch.step.actions[batch.step.action_mask])
    found = {}
    module.log_dict = lambda rows, **_: found.update(rows)
    with torch.no_grad():
        module.eval().validation_step(batch, 0)
    assert found["val/label_error"] < 1e-5 and found["val/truth_error"] == pytest.approx(found["val/loss"].item())
    assert found["val/loss"] > 0.1


def test_the_truth_of_a_pushed_robot_is_what_it_was_sent():
    sample = toys.demo(0, ("front",), 3)
    told = sample["action.npy"] + 1
    sources, state = [0, 1, -1], np.zeros(3, np.float32)
    reading = Reading(rows={}, camera="front", state=state, sources=sources, chunk_steps=4, steps_per_clip=1, told=True)
    wanted, sent = (_truth({**sample, **more}, 2, reading) for more in ({}, {"executed.npy": told}))
    torch.testing.assert_close(sent, wanted + 1)


def test_labels_of_demonstrations_are_held_against_the_truth(root, tmp_path):
    out = label_with(root / "inverse_dynamics", root / "demos", tmp_path / "own", "precision=32-true")
    rows = load_file(out / "actions-000000.safetensors")
    robot = {"embodiment": "panda", "action_names": toys.NAMES, "absolute": ["gripper"]}
    truth = true_actions(root / "demos", **robot, gap=GAP)
    guess, wanted = (np.concatenate([each[key] for key in truth]).astype(np.float64) for each in (rows, truth))
    share = 1 - ((guess - wanted) ** 2).mean(0) / wanted.var(0)
    assert read_manifest(out)["r2"] == pytest.approx(share.mean(), abs=1e-3)
    assert read_manifest(root / "actions")["r2"] is None


def test_videos_of_another_body_are_labelled_with_a_warning_and_learnt_from(root, tmp_path):
    hand = toys.write_demos(tmp_path / "hand", embodiment="hand")
    with pytest.warns(UserWarning, match="the clips show hand; this model knows the actions of panda"):
        actions = label_with(root / "inverse_dynamics", hand, tmp_path / "actions", "other_bodies=true")
    assert read_manifest(actions)["other_bodies"] == ["hand"] and read_manifest(actions)["r2"] is None
    _, data = introduced(config(root, f"clips={hand}", f"actions={actions}"))
    assert data.facts()["embodiment"] == "panda"
    assert next(iter(data._loader(data.stream("val")))).truth.isnan().all(), "a hand's actions are not a panda's"


def test_the_chain_of_actionvla_keeps_its_statistics(tmp_path):
    """Its first act in fine-tuning is its last in pretraining, whatever the few demonstrations' mean is."""
    many, few = toys.write_demos(tmp_path / "many"), toys.write_demos(tmp_path / "few")
    out = tmp_path / "pretrained"
    main(toys.train_config("action_policy", f"demos={many}", "init_from=null", f"out={out}"))
    few_config = [f"demos={few}", f"init_from={out}", "out=unused", "data.train_percent=10"]
    tuned, data = introduced(toys.train_config("action_policy", *few_config))
    kept = tuned.settings["statistics"]
    assert kept != data.facts()["statistics"] | {"head": {}}
    scratch, _ = introduced(toys.train_config("action_policy", f"demos={many}", "init_from=null", "out=unused"))
    assert kept == scratch.settings["statistics"]
    other = [f"demos={few}", f"init_from={out}", "out=unused", "data.absolute=[]"]
    with pytest.raises(ValueError, match="absolute"):
        introduced(toys.train_config("action_policy", *other))


def test_a_share_of_videos_is_the_same_for_every_arm(root, tmp_path):
    clips, share = f"clips={root / 'clips'}", ["data.train_percent=30", "data.val_percent=20", "out=unused"]
    codes = toys.write_codes(tmp_path / "codes", root / "clips")
    configs = [
        toys.train_config("latent_policy", clips, f"codes={codes}", *share),
        config(root, *share),
        compose("train", ["experiment=quantizer", "num_workers=0", clips, *share]),
    ]
    streams = [hydra.utils.instantiate(each.data) for each in configs]
    trained, held = ([stream.stream(split).clips.tolist() for stream in streams] for split in ("train", "val"))
    assert trained[0] == trained[1] == trained[2] and len(trained[0]) == round(0.3 * (20 - len(held[0])))
    assert held[0] == held[1] == held[2] and not set(held[0]) & set(trained[0])
    whole = hydra.utils.instantiate(config(root, "data.val_percent=20").data)
    train, val = (whole.stream(split).clips.tolist() for split in ("train", "val"))
    assert set(trained[0]) < set(train) and val == held[0]


def test_faults_are_named(root, tmp_path):
    def fails(fault, *more):
        with pytest.raises(InstantiationException, match=fault):
            introduced(config(root, *more))

    codes = toys.write_codes(tmp_path / "codes", root / "clips")
    fails("these labels are LatentStep; label the clips with an inverse dynamics", f"actions={codes}")
    ur5e = toys.write_demos(tmp_path / "ur5e", embodiment="ur5e")
    fails("of another robot .*embodiment: panda → ur5e", f"demos={ur5e}")
    fails("of another robot .*absolute", "data.demonstrations.absolute=[]")
    eyes = toys.write_demos(tmp_path / "eyes", cameras=("front", "wrist"))
    fails("clips have one camera; the demonstrations have front, wrist", f"demos={eyes}")
    fails("made for other clips", f"clips={toys.write_clips(tmp_path / 'others', first=20)}")


def test_a_clip_without_pseudo_actions_is_named(root, tmp_path):
    _, data = introduced(config(root))
    sample = read_clip(ShardIndex(shard_paths(root / "clips")), 0) | {"__key__": "new"}
    with pytest.raises(ValueError, match="clip 'new' has no pseudo-actions"):
        data.take(sample, np.random.default_rng(0))


def rehearsed(root, pretrained, *more):
    folders = [f"{name}={root / name}" for name in ("demos", "clips", "actions")]
    return toys.train_config("pseudo_rehearsal", *folders, f"init_from={pretrained}", "data.rehearsed=1", *more)


def test_pseudo_actions_are_rehearsed_beside_demonstrations_which_alone_judge(root, pretrained):
    _, data = introduced(rehearsed(root, pretrained, "out=unused"))
    records = list(islice(data.stream("train"), 40))
    assert [step.key[0] for step in records] == ["d", "d", "d", "c"] * 10
    assert all(step.action_mask.any() and len(step.codes) == 0 for step in records)
    assert {step.key[0] for step in islice(data.stream("val"), 40)} == {"d"}


def test_a_policy_that_rehearsed_pseudo_actions_acts(root, pretrained, tmp_path):
    main(rehearsed(root, pretrained, f"out={tmp_path}"))
    assert read_manifest(tmp_path)["mixture"] == {"demos": 3, "videos": 1}
    assert infer.load(tmp_path, device="cpu").act(observation()).actions.shape == (8, 3)
