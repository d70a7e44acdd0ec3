"""policy.bodies, policy.demo_mixture: several robots in one policy, each with its own numbers; padding teaches nothing."""

import hydra
import numpy as np
import pytest
import torch
from hydra.errors import InstantiationException

from lapa.cli import enter
from lapa.config import compose
from lapa.records import Observation
from lapa.stage import read_manifest
from lapa.train import main
from policy import infer
from policy.bodies import Bodies, each_robot
from policy.normalise import Normaliser
from policy.preflight import check_demos
from policy.pretrained import load
from tests import policy_toys as toys

ARM = ["shoulder", "gripper"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Of a robot of three numbers, and of one of two."""
    root = tmp_path_factory.mktemp("folders")
    return {
        "panda": toys.write_demos(root / "panda"),
        "arm": toys.write_demos(root / "arm", embodiment="arm", names=ARM, first=100),
    }


def config(folders, *more):
    mixture = f"mixture={{second: {{demos: {folders['arm']}, weight: 0.4}}}}"
    small = ["data.batch_size=8", "data.val_percent=30", "model.shift_px=0"]
    return toys.train_config(
        "several_robots", f"demos={folders['panda']}", mixture, "init_from=null", "out=-", *small, *more
    )


def built(folders, *more):
    cfg = config(folders, *more)
    torch.manual_seed(0)
    data, module = hydra.utils.instantiate(cfg.data), hydra.utils.instantiate(cfg.model)
    module.setup_from(data.facts())
    return module.eval(), data


def one_batch(data, split="train"):
    return next(iter(data._loader(data.stream(split))))


@pytest.fixture(scope="module")
def trained(folders, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "out"
    main(config(folders, f"out={out}", "data.name_robot=true"))
    return out


def test_every_batch_holds_each_robots_share_padded_and_marked(folders):
    batch = one_batch(built(folders)[1])
    arm = batch.state[:, 3] == 1  # by name: arm, panda
    assert batch.state.shape == (8, 5) and int(arm.sum()) == 2 and torch.equal(batch.state[:, 4], (~arm).float())
    assert not batch.state[arm][:, 2].any() and not batch.action_mask[arm][..., 2].any()
    assert batch.action_mask[~arm][:, 0].all() and batch.action_mask[arm][:, 0, :2].all()
    assert [int(key[1:]) >= 100 for key in batch.key] == arm.tolist()


def test_statistics_are_each_robots_own(folders):
    facts = built(folders)[1].facts()
    for name, folder in folders.items():
        alone = toys.train_config("action_policy", f"demos={folder}", "init_from=null", "out=-", "data.val_percent=30")
        own = hydra.utils.instantiate(alone.data).facts()
        assert facts["statistics"]["bodies"][name]["statistics"] == own["statistics"]


@pytest.mark.parametrize("normalisation", ["mean_std", "quantile"])
def test_each_row_is_normalised_as_by_its_robots_own(folders, normalisation):
    module, data = built(folders, f"model.normalisation={normalisation}", "head@model.head=bins")
    batch, both = one_batch(data), module.model.normaliser
    assert isinstance(both, Bodies)
    scaled, state = both.normalise(batch.state, batch.actions), both.state(batch.state)
    torch.testing.assert_close(both.denormalise(batch.state, scaled), batch.actions)
    for place, (name, width) in enumerate({"arm": 2, "panda": 3}.items()):
        rows = batch.state[:, 3 + place] == 1
        row = data.facts()["statistics"]["bodies"][name]
        own = Normaliser(**row, normalisation=normalisation)
        assert torch.equal(state[rows][:, :width], own.state(batch.state[rows][:, :width]))
        wanted = own.normalise(batch.state[rows][:, :width], batch.actions[rows][..., :width])
        assert torch.equal(scaled[rows][..., :width], wanted)


@pytest.mark.parametrize("head", ["bins", "chunk", "fast", "flow"])
def test_padding_teaches_nothing(folders, head):
    small = ["model.head.num_tokens=256", "model.head.decoder_width=32"] if head == "fast" else []
    module, data = built(folders, f"head@model.head={head}", *small)
    batch, losses = one_batch(data), []
    for fill in (0.0, 7.0):
        actions = torch.where(batch.action_mask, batch.actions, fill)
        torch.manual_seed(0)
        seen = module.see(batch), list(batch.text), batch.state, actions, batch.action_mask
        losses.append(module.model.loss(*seen))
    assert losses[0] == losses[1]


def test_inference_picks_the_robot_and_does_what_training_computes(folders, trained):
    module, data = built(folders, f"init_from={trained}", "data.name_robot=true")
    batch = one_batch(data, "val")
    with torch.inference_mode():
        scaled = module.model(module.see(batch), list(batch.text), batch.state)
        wanted = module.model.normaliser.denormalise(batch.state, scaled)
    for place, (name, width) in enumerate({"arm": 2, "panda": 3}.items()):
        policy = infer.load(trained, device="cpu", embodiment=name)
        assert (policy.embodiment, len(policy.state_names), len(policy.action_names)) == (name, width, width)
        for i in torch.nonzero(batch.state[:, 3 + place])[:, 0].tolist():
            assert batch.text[i] == f"reach the red block with {name}"
            seen = Observation({"front": batch.images["front"][i]}, "reach the red block", batch.state[i, :width])
            torch.testing.assert_close(policy.act(seen).actions, wanted[i, :, :width], atol=1e-5, rtol=1e-5)
    assert read_manifest(trained)["embodiment"] == "arm+panda"


def test_who_is_to_move_must_be_said_and_known(trained):
    with pytest.raises(ValueError, match="moves arm, panda: embodiment=… says which"):
        infer.load(trained, device="cpu")
    with pytest.raises(ValueError, match="moves arm or panda, not 'ur5e'"):
        infer.load(trained, device="cpu", embodiment="ur5e")
    policy = infer.load(trained, device="cpu", embodiment="arm")
    with pytest.raises(ValueError, match=r"embodiment: arm → ur5e \(embodiment=arm or panda fits\)"):
        policy.preflight({"embodiment": "ur5e"})
    with pytest.raises(ValueError, match="state has 3 numbers; this policy reads 2: shoulder, gripper"):
        policy.act(Observation({"front": torch.zeros(3, 32, 32, dtype=torch.uint8)}, "", torch.zeros(3)))


def test_a_rollout_and_a_server_say_it(trained):
    cfg = compose("rollout", ["policy=several_robots", "embodiment=ur5e", f"checkpoint={trained}", "tasks=-", "out=-"])
    assert cfg.policy.policy.embodiment == "ur5e"
    served = hydra.utils.instantiate(
        compose("serve", [f"checkpoint={trained}", "server.policy.embodiment=arm"]).server.policy
    )
    assert served.embodiment == "arm"


def test_it_is_published_with_each_robots_names(trained, tmp_path):
    enter("export", [f"checkpoint={trained}", f"out={tmp_path / 'hub'}", "licence=mit"])
    card = (tmp_path / "hub" / "README.md").read_text()
    assert "# arm+panda: " in card and "| states of arm | shoulder, gripper |" in card
    assert "val/loss_arm" in card and "val/loss_panda" in card
    policy = load(str(tmp_path / "hub"), device="cpu", embodiment="arm")
    assert (policy.embodiment, policy.hash) == ("arm", infer.load(trained, "cpu", "panda").hash)


def test_it_is_replayed_on_either_robots_demonstrations(folders, trained, tmp_path):
    for name, folder in folders.items():
        with pytest.raises(ValueError, match="held out split=val with val_percent=30"):
            enter("open_loop", [f"checkpoint={trained}", f"demos={folder}", f"out={tmp_path / name}"])
        held = [f"checkpoint={trained}", f"demos={folder}", f"out={tmp_path / name}", "val_percent=30"]
        enter("open_loop", held)
        assert read_manifest(tmp_path / name)["embodiment"] == name


def test_going_on_wants_the_same_robots(folders, trained, tmp_path):
    check_demos(trained, built(folders)[1].facts())
    alone = toys.train_config("action_policy", f"demos={folders['arm']}", f"init_from={trained}", "out=-")
    with pytest.raises(ValueError, match=r"embodiment: arm\+panda → arm"):
        hydra.utils.instantiate(alone.model).setup_from(hydra.utils.instantiate(alone.data).facts())
    other = toys.write_demos(tmp_path / "other", embodiment="so101")
    with pytest.raises(ValueError, match="embodiment: arm, panda → so101"):
        check_demos(trained, built(folders | {"arm": other})[1].facts())


def test_two_folders_of_one_robot_are_that_robot(folders, tmp_path):
    more = toys.write_demos(tmp_path / "more", first=200)
    facts = built(folders | {"arm": more})[1].facts()
    assert facts["embodiment"] == "panda" and facts["state_names"] == toys.NAMES
    parts = hydra.utils.instantiate(config(folders | {"arm": more}).data).parts
    states = np.concatenate([state for part in parts.values() for state, _ in part._arrays()])
    np.testing.assert_allclose(facts["statistics"]["state"]["mean"][0], states.mean(0), atol=1e-6)


def test_what_cannot_be_mixed_is_told(folders, tmp_path):
    eyes = toys.write_demos(tmp_path / "eyes", embodiment="arm", cameras=("wrist",), names=ARM)
    with pytest.raises(InstantiationException, match=r"cameras is \['wrist'\] in second, \['front'\] in demos"):
        built(folders | {"arm": eyes})
    joints = toys.write_demos(tmp_path / "joints", names=["a", "b", "c"])
    with pytest.raises(InstantiationException, match="one set of joints a robot: state_names is"):
        built(folders | {"arm": joints})


def test_what_is_told_as_it_is_must_be_an_action_of_some_robot(folders):
    """A misspelt gripper was told relative to where it is, and nobody was told."""
    _, data = built(folders, "data.absolute=[shoulder]")
    assert {name: robot["absolute"] for name, robot in each_robot(data.facts()).items()} == {
        "arm": ["shoulder"], "panda": [],
    }  # fmt: skip
    assert each_robot(built(folders)[1].facts())["arm"]["absolute"] == ["gripper"]
    with pytest.raises(InstantiationException, match="no action 'griper' to keep absolute; there are gripper, "):
        built(folders, "data.absolute=[griper]")
    alone = toys.train_config(
        "action_policy", f"demos={folders['arm']}", "init_from=null", "out=-", "data.absolute=[griper]"
    )
    with pytest.raises(ValueError, match="no action 'griper' to keep absolute; there are shoulder, gripper"):
        hydra.utils.instantiate(alone.data).facts()
