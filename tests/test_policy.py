"""policy: latent pretraining, fine-tuning from it or from scratch, inference; what does not fit is told in one line."""

import shutil

import hydra
import pytest
import torch
from safetensors.torch import save_file

from lapa import checkpoint
from lapa.metrics import read_metrics
from lapa.records import Observation
from lapa.stage import MANIFEST, read_manifest
from lapa.train import main
from policy import infer
from tests import policy_toys as toys


@pytest.fixture(scope="module")
def latent(tmp_path_factory):
    """A trained latent policy's folder."""
    root = tmp_path_factory.mktemp("latent")
    clips = toys.write_clips(root / "clips")
    codes = toys.write_codes(root / "codes", clips)
    main(toys.train_config("latent_policy", f"clips={clips}", f"codes={codes}", f"out={root / 'out'}"))
    return root / "out"


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    return toys.write_demos(tmp_path_factory.mktemp("demos") / "demos")


@pytest.fixture(scope="module")
def action(latent, demos, tmp_path_factory):
    """A trained action policy's folder."""
    out = tmp_path_factory.mktemp("action") / "out"
    main(toys.train_config("action_policy", f"demos={demos}", f"init_from={latent}", f"out={out}"))
    return out


def built(experiment, *more):
    """Module and data of an experiment, introduced to each other."""
    cfg = toys.train_config(experiment, "out=unused", *more)
    torch.manual_seed(0)
    data, module = hydra.utils.instantiate(cfg.data), hydra.utils.instantiate(cfg.model)
    module.setup_from(data.facts())
    return module, data


def observation(seed=0, **changes):
    generator = torch.Generator().manual_seed(seed)
    picture = torch.randint(0, 256, (3, toys.PX, toys.PX), dtype=torch.uint8, generator=generator)
    fields = {"images": {"front": picture}, "text": "reach the red block", "state": torch.randn(3, generator=generator)}
    return Observation(**(fields | changes))


def test_manifests_and_metrics_tell_what_others_need(latent, action):
    manifest = read_manifest(latent)
    assert (manifest["num_codes"], manifest["codes_per_step"], manifest["gap_s"]) == (8, 4, 0.5)
    assert {"train/accuracy", "val/accuracy", "val/majority", "val/loss"} <= read_metrics(latent).keys()
    assert read_manifest(action)["embodiment"] == "panda"
    assert {"train/loss", "val/loss", "val/mean_error"} <= read_metrics(action).keys()


def test_the_trunk_is_inherited_and_scratch_is_the_same_network(latent, demos):
    inherited, _ = built("action_policy", f"demos={demos}", f"init_from={latent}")
    scratch, _ = built("action_policy", f"demos={demos}", "init_from=null")
    saved = checkpoint.read_weights(latent)
    for name, tensor in inherited.model.trunk.state_dict().items():
        torch.testing.assert_close(tensor, saved[f"trunk.{name}"], atol=0, rtol=0)
    shapes = [{name: t.shape for name, t in module.state_dict().items()} for module in (inherited, scratch)]
    assert shapes[0] == shapes[1]
    assert not torch.equal(scratch.model.trunk.queries, inherited.model.trunk.queries)


@pytest.mark.parametrize("head", ["parallel", "autoregressive"])
def test_latent_policy_learns_a_batch(latent, tmp_path, head):
    clips = toys.write_clips(tmp_path / "clips")
    codes = toys.write_codes(tmp_path / "codes", clips)
    module, data = built("latent_policy", f"clips={clips}", f"codes={codes}", f"head@model.head={head}")
    batch = next(iter(data._loader(data.stream("train"))))
    losses = learn(module, lambda: module.training_step(batch, 0), steps=40)
    assert losses[-1] < 0.3 * losses[0]
    module.eval()
    predicted = module.model.predict(batch.images, list(batch.text))
    assert (predicted == batch.codes).float().mean() > 0.8


def test_action_policy_learns_a_batch(demos):
    module, data = built("action_policy", f"demos={demos}", "init_from=null", "model.shift_px=0")
    batch = next(iter(data._loader(data.stream("train"))))
    losses = learn(module, lambda: module.training_step(batch, 0), steps=60)
    assert losses[-1] < 0.5 * losses[0]


def learn(module, step, *, steps):
    module.log = lambda *_, **__: None
    optimiser = torch.optim.AdamW(module.parameters(), lr=3e-3)
    losses = []
    for _ in range(steps):
        optimiser.zero_grad()
        loss = step()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def test_act_gives_what_training_computes(action, demos):
    policy = infer.load(action, device="cpu")
    module, data = built("action_policy", f"demos={demos}", f"init_from={action}")
    module.eval()
    batch = next(iter(data._loader(data.stream("val"))))
    with torch.no_grad():
        scaled = module.model(module.see(batch), list(batch.text), batch.state)
        wanted = module.model.normaliser.denormalise(batch.state, scaled)
    for i in range(len(wanted)):
        seen = Observation({"front": batch.images["front"][i]}, batch.text[i], batch.state[i])
        torch.testing.assert_close(policy.act(seen).actions, wanted[i], atol=1e-5, rtol=1e-5)


def test_a_batch_acts_like_each_alone(action):
    policy = infer.load(action, device="cpu")
    seen = [observation(0), observation(1, text="push the very blue block there"), observation(2)]
    for alone, together in zip(map(policy.act, seen), policy.act_batch(seen), strict=True):
        assert alone.actions.shape == (8, 3)
        torch.testing.assert_close(alone.actions, together.actions, atol=1e-5, rtol=1e-5)


def test_the_hash_is_of_the_weights(action, latent, demos, tmp_path):
    main(toys.train_config("action_policy", f"demos={demos}", "init_from=null", f"out={tmp_path / 'o'}", "seed=1"))
    hashes = [infer.load(folder, device="cpu").hash for folder in (action, action, tmp_path / "o")]
    assert hashes[0] == hashes[1] != hashes[2]


def test_wrong_observations(action):
    policy = infer.load(action, device="cpu")
    with pytest.raises(ValueError, match=r"no camera 'front'; this observation has \['wrist'\]"):
        policy.act(observation(images={"wrist": observation().images["front"]}))
    with pytest.raises(ValueError, match="state has 2 numbers; this policy reads 3: joint1, joint2, gripper"):
        policy.act(observation(state=torch.zeros(2)))
    with pytest.raises(TypeError, match=r"Observation\.state"):
        policy.act(observation(state=torch.zeros(3, dtype=torch.float64)))
    with pytest.raises(ValueError, match="images have shape"):
        policy.act(observation(images={"front": torch.zeros(3, 16, 16, dtype=torch.uint8)}))


def test_a_latent_policy_does_not_act(latent):
    with pytest.raises(ValueError, match="kind 'latent', not an action policy"):
        infer.load(latent, device="cpu")


def test_another_codebook(latent, tmp_path):
    clips = toys.write_clips(tmp_path / "clips")
    codes = toys.write_codes(tmp_path / "codes", clips, num_codes=16)
    more = (f"clips={clips}", f"codes={codes}", f"model.init_from={latent}")
    with pytest.raises(ValueError, match=r"num_codes, codes_per_step = \[8, 4\] there, \[16, 4\] here"):
        built("latent_policy", *more)


def test_codes_of_another_quantizer_of_the_same_sizes(tmp_path):
    clips, (one, two) = (
        toys.write_clips(tmp_path / "clips"),
        [toys.write_clips(tmp_path / f"q{i}", count=i) for i in (1, 2)],
    )
    codes = [toys.write_codes(tmp_path / f"codes_{each.name}", clips, quantizer=each) for each in (one, two)]
    main(toys.train_config("latent_policy", f"clips={clips}", f"codes={codes[0]}", f"out={tmp_path / 'out'}"))
    on = [f"clips={clips}", f"model.init_from={tmp_path / 'out'}"]
    built("latent_policy", *on, f"codes={codes[0]}")
    with pytest.raises(ValueError, match="out was trained on another quantizer's codes"):
        built("latent_policy", *on, f"codes={codes[1]}")


def test_another_number_of_codes(latent, demos):
    with pytest.raises(ValueError, match=r"codes_per_step = \[4\] there, \[2\] here"):
        built("action_policy", f"demos={demos}", f"init_from={latent}", "model.codes_per_step=2")


def test_another_robot(action, tmp_path):
    demos = toys.write_demos(tmp_path / "demos", embodiment="ur5e")
    with pytest.raises(ValueError, match="there → here.*embodiment: panda → ur5e"):
        built("action_policy", f"demos={demos}", f"init_from={action}")


def test_another_network(latent, demos):
    with pytest.raises(ValueError, match=r"another network \(there → here\): backbone.depth: 2 → 3"):
        built("action_policy", f"demos={demos}", f"init_from={latent}", "model.backbone.depth=3")


def test_a_checkpoint_that_lacks_tensors(latent, demos, tmp_path):
    folder = tmp_path / "old"
    shutil.copytree(latent, folder)
    weights = checkpoint.read_weights(folder)
    del weights["trunk.queries"]
    save_file(weights, folder / checkpoint.WEIGHTS)
    (folder / MANIFEST).unlink()  # which knows the hash of other weights
    with pytest.raises(ValueError, match=r"old does not fit: queries is missing \(1 in all\)"):
        built("action_policy", f"demos={demos}", f"init_from={folder}")


def test_what_a_training_starts_from_must_be_whole(latent, demos, tmp_path):
    folder = shutil.copytree(latent, tmp_path / "flipped")
    path = folder / checkpoint.WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match="is damaged: its hash"):
        built("action_policy", f"demos={demos}", f"init_from={folder}")
    with pytest.raises(ValueError, match="is damaged: its hash"):
        infer.load_latent(folder, device="cpu")


def test_a_robot_is_never_told_what_is_no_number(action):
    policy = infer.load(action, device="cpu")
    with torch.no_grad():
        policy.model.trunk.queries[0] = float("nan")
    with pytest.raises(ValueError, match="answers what is not finite at joint1, joint2, gripper"):
        policy.act(observation())


def test_two_cameras(tmp_path):
    demos = toys.write_demos(tmp_path / "demos", cameras=("front", "wrist"))
    more = (f"demos={demos}", "init_from=null", "model.backbone.num_cameras=2")
    module, data = built("action_policy", *more)
    batch = next(iter(data._loader(data.stream("train"))))
    assert module.see(batch).shape == (4, 2, 3, toys.PX, toys.PX)


def test_a_latent_policy_tells_its_codes(latent, action):
    thinker = infer.load_latent(latent, device="cpu")
    pictures = torch.stack([observation(seed).images["front"] for seed in range(3)])
    codes = thinker.codes(pictures, ["reach the red block"] * 3)
    assert codes.shape == (3, 4) and (thinker.num_codes, thinker.codes_per_step) == (8, 4)
    with torch.inference_mode():
        assert torch.equal(codes, thinker.model.predict({"front": pictures}, ["reach the red block"] * 3))
    with pytest.raises(ValueError, match="a model of kind 'action', not a latent policy"):
        infer.load_latent(action, device="cpu")
