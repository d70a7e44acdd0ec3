"""policy.preflight: what does not fit is told in one line with all differences; what was trained is what acts."""

import hydra
import numpy as np
import pytest
import torch
from small_sim import studio

from lapa.records import Observation
from policy import infer
from policy.preflight import check_demos, check_robot
from policy.server.client import request
from policy.server.message import pack, unpack
from policy.server.request import Keys, read_observation
from sim_finetune.players import robot_facts
from tests import policy_toys as toys
from tests import serving

SPREAD = {"state": {"mean": [[0.1, -0.5, 0.8]], "std": [[0.3, 0.2, 0.2]]}}
THERE = {
    "embodiment": "panda", "cameras": ["front"], "image_px": 64, "fps": 10, "chunk_steps": 8, "statistics": SPREAD,
    "state_names": toys.NAMES, "action_names": toys.NAMES,
}  # fmt: skip
ROBOT = {key: THERE[key] for key in ("embodiment", "cameras", "image_px", "fps", "state_names", "action_names")}
ROBOT |= {"state": [0.3, -0.5, 1.0], "execute_steps": 4}


def told(robot: dict, there: dict | None = None) -> str:
    with pytest.raises(ValueError) as caught:
        check_robot(THERE | (there or {}), ROBOT | robot, origin="runs/policy")
    return str(caught.value)


def test_what_fits_passes():
    check_robot(THERE, ROBOT, origin="it")
    check_robot(THERE, ROBOT | {"cameras": ["side", "front"]}, origin="it")  # more eyes do no harm
    check_robot(THERE, {key: value for key, value in ROBOT.items() if key not in ("fps", "image_px")}, origin="it")
    check_robot(THERE, ROBOT | {"state": [0.0, 0.0, 0.0]}, origin="it")


def test_every_difference_stands_in_one_line():
    words = told({"embodiment": "ur5e", "fps": 20, "cameras": ["side"], "image_px": 32, "execute_steps": 9})
    assert words.startswith(
        "runs/policy does not fit this robot (there → here): embodiment: panda → ur5e (embodiment=panda"
    )
    for part in ("fps: 10 → 20 (studio.control_hz=10 fits)", "cameras: ['front'] → ['side'] (studio.cameras=[front] fits)",
                 "image_px: 64 → 32 (studio.image_px=64 fits)", "execute_steps: 8 → 9 (execute_steps=8 fits)"):  # fmt: skip
        assert part in words
    assert "\n" not in words and words.count(";") == 4


def test_what_is_not_known_is_not_compared_and_what_does_not_exist_is_refused():
    check_robot(THERE, {}, origin="it")
    assert (
        told_alone({"fps": 5}) == "it does not fit this robot (there → here): fps: 10 → 5 (studio.control_hz=10 fits)"
    )
    assert "a robot has no rate; it may have action_names, " in told_alone({"rate": 10})


def told_alone(robot: dict) -> str:
    with pytest.raises(ValueError) as caught:
        check_robot(THERE, robot, origin="it")
    return str(caught.value)


def test_names_their_order_and_units():
    assert "state_names, another order: ['joint1'" in told({"state_names": ["joint2", "joint1", "gripper"]})
    assert "action_names: 3 ['joint1', 'joint2', 'gripper'] → 2 ['a', 'b']" in told({"action_names": ["a", "b"]})
    units = {"state_units": ["rad", "rad", "1"]}
    assert "state_units: ['rad', 'rad', '1'] → ['deg', 'deg', '1']" in told({"state_units": ["deg", "deg", "1"]}, units)


def test_a_backbone_that_resizes_takes_any_size():
    check_robot(THERE | {"backbone": {"image_px": 512}}, ROBOT | {"image_px": 128}, origin="it")
    assert "image_px: 64 → 128" in told({"image_px": 128}, {"backbone": {"image_px": 64}})


def test_states_in_other_units_or_far_away():
    assert "states in other units? joint2 -0.5 ± 0.2 → -28.6" in told({"state": [0.1, -28.6, 1.0]})
    assert "far from all that was seen joint1 0.1 ± 0.3 → 4, joint2" in told({"state": [4.0, 3.0, 1.0]})


def test_demonstrations_in_other_units():
    from policy.preflight import _statistics

    def rows(mean, std):
        there = THERE | {"statistics": {"state": {"mean": [mean], "std": [std]}}}
        return list(_statistics(THERE, there))

    assert rows([0.2, -0.3, 0.5], [0.4, 0.1, 0.5]) == []
    assert "joint1 0.1 ± 0.3 → 5.7 ± 17, joint2" in rows([5.7, -28, 0.8], [17.0, 11.0, 0.2])[0]
    assert rows([0.1, -0.5, 80.0], [0.3, 0.2, 20.0])[0].startswith("states in other units? gripper 0.8")
    assert rows([0.1, -0.5, 0.5], [0.001, 0.2, 0.5]) == []  # a joint that rests now


@pytest.fixture(scope="module")
def action(tmp_path_factory):
    return serving.toy_checkpoint(tmp_path_factory.mktemp("action"))


def demo_data(folder, *more):
    cfg = toys.train_config("action_policy", f"demos={folder}", "init_from=null", "out=unused", *more)
    torch.manual_seed(0)
    return hydra.utils.instantiate(cfg.data), hydra.utils.instantiate(cfg.model)


def test_a_fine_tuning_is_held_against_its_start(action, tmp_path):
    facts = demo_data(action.parent / "demos")[0].facts()
    check_demos(action, facts)
    other = facts | {"fps": 30, "cameras": ["wrist"], "image_px": 48, "embodiment": "ur5e"}
    with pytest.raises(
        ValueError, match=r"embodiment: panda → ur5e; fps: 10 → 30; cameras: .* → .*; image_px: 32 → 48$"
    ):
        check_demos(action, other)
    with pytest.raises(ValueError, match="another order"):
        check_demos(action, facts | {"state_names": toys.NAMES[::-1]})


def test_a_latent_start_is_held_against_pictures_and_gap(tmp_path):
    clips = toys.write_clips(tmp_path / "clips")
    codes = toys.write_codes(tmp_path / "codes", clips)
    serving.train(toys.train_config("latent_policy", f"clips={clips}", f"codes={codes}", f"out={tmp_path / 'latent'}"))
    facts = {"cameras": ["above"], "image_px": toys.PX, "fps": 30}
    check_demos(tmp_path / "latent", facts)
    with pytest.raises(ValueError, match=r"cameras: 1 → 2; image_px: 32 → 64; gap_s: 0.5 → 0.8"):
        check_demos(tmp_path / "latent", facts | {"cameras": ["front", "wrist"], "image_px": 64, "gap_s": 0.8})


def test_a_robots_facts_are_those_of_its_demonstrations():
    facts = robot_facts(studio("ur5e"), execute_steps=4)
    assert facts["state_names"] == studio("ur5e").embodiment.state_names and len(facts["state"]) == len(
        facts["state_names"]
    )
    assert (facts["embodiment"], facts["cameras"], facts["image_px"], facts["fps"]) == ("ur5e", ["front"], 32, 10)


def test_inference_replays_training_frames_to_the_bit(action):
    """The trained module on a loader's batch, and the loaded policy on the same moments after a journey as messages."""
    data, module = demo_data(action.parent / "demos", f"init_from={action}")
    module.setup_from(data.facts())
    module.eval()
    policy = infer.load(action, device="cpu")
    keys = Keys(images=["images/{camera}"], first_camera=[], state=["state"], text=["text"])
    for split in ("train", "val"):
        batch = next(iter(data._loader(data.stream(split))))
        with torch.inference_mode():
            scaled = module.model(module.see(batch), list(batch.text), batch.state)
            wanted = module.model.normaliser.denormalise(batch.state, scaled)
        seen = [
            Observation({"front": batch.images["front"][i]}, batch.text[i], batch.state[i]) for i in range(len(wanted))
        ]
        sent = [unpack(pack(request(one)), max_bytes=2**20) for one in seen]
        read = [read_observation(one, policy, keys=keys, resize=True) for one in sent]
        chunks = policy.act_batch(read)
        assert np.array_equal(np.stack([chunk.actions for chunk in chunks]), wanted.numpy())
