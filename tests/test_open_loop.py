"""policy.open_loop: errors are those of the policy's own answers on held-out demonstrations; guesses guess what they say."""

import json

import numpy as np
import pytest
import torch

from lapa.config import compose
from lapa.records import Observation
from lapa.shards import ShardIndex, shard_paths
from lapa.stats import signed_rank_p
from lapa.stream import read_clip, split_indices
from lapa.train import main as train
from policy import pretrained
from policy.baselines import Guesses
from policy.infer import load
from policy.normalise import cut_chunks
from policy.open_loop import check_match, main, summarise
from policy.replay import Errors
from tests import policy_toys as toys

SPLIT = "val_percent=30"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A trained toy policy and its demonstrations."""
    folder = tmp_path_factory.mktemp("open_loop")
    demos = toys.write_demos(folder / "demos")
    settings = [f"demos={demos}", "init_from=null", f"out={folder / 'policy'}", f"data.{SPLIT}"]
    train(toys.train_config("action_policy", *settings))
    return folder / "policy", demos


def replay(trained, out, *more) -> dict:
    policy, demos = trained
    main(compose("open_loop", [f"checkpoint={policy}", f"demos={demos}", f"out={out}", SPLIT, "batch=5", *more]))
    return json.loads((out / "open_loop.json").read_text())


def test_errors_are_those_of_the_policys_answers(trained, tmp_path):
    found = replay(trained, tmp_path / "out")
    policy, demos = load(trained[0], "cpu"), ShardIndex(shard_paths(trained[1]))
    held = split_indices(demos.keys, split="val", val_percent=30)
    wanted = []
    for i in held:
        demo = read_clip(demos, i)
        for t in range(toys.FRAMES):
            seen = Observation(
                {"front": demo["frames"][t]}, demo["json"]["text"], torch.from_numpy(demo["state.npy"][t])
            )
            chunk, real = policy.act(seen).actions.numpy(), min(8, toys.FRAMES - t)
            wanted += list(np.abs(chunk[:real] - demo["action.npy"][t : t + real]))
    assert found["errors"]["policy"]["joint"] == pytest.approx(np.mean(wanted, axis=0), rel=1e-4)
    assert found["errors"]["policy"]["all"] == pytest.approx(np.mean(wanted / np.array(found["spread"])), rel=1e-4)
    rows = [json.loads(line) for line in (tmp_path / "out/open_loop.jsonl").read_text().splitlines()]
    assert [row["key"] for row in rows] == [demos.keys[i] for i in held] and found["moments"] == len(held) * toys.FRAMES
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["errors"] == found["errors"] and manifest["policy_hash"] == policy.hash


def test_a_policy_that_acts_as_shown_has_no_error(trained, tmp_path, monkeypatch):
    def answer(policy, demo, state, *, batch):
        return cut_chunks(demo["action.npy"], 8)[0]

    monkeypatch.setattr("policy.replay.ask", answer)
    found = replay(trained, tmp_path / "out")
    assert found["errors"]["policy"]["all"] == 0 and found["errors"]["hold"]["all"] > 0
    assert found["better_than"]["hold"] == {"episodes": 4, "p": pytest.approx(2 / 2**4)}


def test_guesses_hold_repeat_and_know_the_mean():
    state = np.array([[1.0, 5], [2, 5], [4, 5]], np.float32)
    action = np.array([[2.0, 0.1], [4, 0.2], [7, 0.3]], np.float32)
    names = {"state_names": ["elbow", "force"], "action_names": ["elbow", "gripper"]}
    told = Guesses(**names, mean=np.array([3.0, 0.5])).of(state, action, 4)
    assert {chunks.shape for chunks in told.values()} == {(3, 4, 2)}
    assert told["hold"][:, 0].tolist() == [[1, 0.5], [2, pytest.approx(0.1)], [4, pytest.approx(0.2)]]
    assert told["repeat"][:, 3].tolist() == [[1, 0.5], [2, pytest.approx(0.1)], [4, pytest.approx(0.2)]]
    assert (told["mean"] == [3, 0.5]).all()
    chunks, mask = cut_chunks(action, 2)
    assert chunks[:, :, 0].tolist() == [[2, 4], [4, 7], [7, 7]] and mask.tolist() == [[True, True]] * 2 + [
        [True, False]
    ]


def test_a_joint_that_never_moves_has_no_part_in_scaled_errors():
    sums = {who: np.array([[2.0, 9.0], [1.0, 9.0]]) for who in ("policy", "hold", "repeat", "mean")}
    found = summarise([Errors("a", 2, sums, np.array([[2.0], [1.0]]))], np.array([0.5, 0.0]), ["elbow", "lock"])
    assert found["errors"]["policy"] == {"joint": [1.0, 6.0], "step": [2.0, 2.0], "all": 2.0}
    assert found["better_than"]["mean"] == {"episodes": 0, "p": 1.0}


def test_what_was_trained_on_is_refused(trained, tmp_path):
    for more in ("val_percent=10", "split=all"):
        with pytest.raises(ValueError, match="it held out split=val with val_percent=30"):
            replay(trained, tmp_path / "out", more)


def test_what_it_began_from_was_trained_on_is_refused_too(trained, tmp_path):
    begun, demos = trained[0], toys.write_demos(tmp_path / "others", first=40)
    train(toys.train_config("action_policy", f"demos={demos}", f"init_from={begun}", f"out={tmp_path / 'tuned'}"))
    exported = tmp_path / "shared"
    pretrained.main(compose("export", [f"checkpoint={tmp_path / 'tuned'}", f"out={exported}"]))
    for policy in (tmp_path / "tuned", exported):
        with pytest.raises(ValueError, match="it held out split=val with val_percent=30"):
            check_match(policy, trained[1], split="all", val_percent=30)
        check_match(policy, trained[1], split="val", val_percent=30)


def test_another_robots_demonstrations_are_refused(trained, tmp_path):
    other = toys.write_demos(tmp_path / "other", embodiment="ur5e")
    with pytest.raises(ValueError, match="embodiment: panda → ur5e"):
        replay((trained[0], other), tmp_path / "out")


def test_a_refusal_leaves_no_folder(trained, tmp_path):
    with pytest.raises(ValueError, match="no demonstration of .* is in split=val with val_percent=0"):
        elsewhere = toys.write_demos(tmp_path / "elsewhere")
        (elsewhere / "manifest.json").write_text(
            (elsewhere / "manifest.json").read_text().replace('"count"', '"counted"')
        )
        main(
            compose(
                "open_loop",
                [f"checkpoint={trained[0]}", f"demos={elsewhere}", f"out={tmp_path / 'out'}", "val_percent=0"],
            )
        )
    assert not (tmp_path / "out").exists()


def test_signed_ranks():
    assert signed_rank_p([1, 2, 3, 4, 5, 6], [2, 4, 6, 8, 10, 12]) == pytest.approx(2 / 2**6)
    assert signed_rank_p([1, 2], [1, 2]) == 1
    with pytest.raises(ValueError):
        signed_rank_p([1], [1, 2])
