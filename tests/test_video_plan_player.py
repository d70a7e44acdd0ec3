"""UniPi as a player: imagined pictures become joint targets, an episode is played to its end, what does not fit is refused."""

import json
from types import SimpleNamespace

import pytest
import torch
from small_sim import task_folder

from lapa import checkpoint
from lapa.config import compose
from lapa.records import Observation
from lapa.stage import read_manifest
from lapa.train import main as train
from policy.video_plan.player import ImagineThenAct, load_plan
from quantizer import inverse_reader
from sim_finetune.collect import main as collect
from sim_finetune.rollout import main as rollout
from tests import policy_toys as toys
from tests.test_inverse_dynamics import SMALL as INVERSE
from tests.test_video_plan import SMALL as PLAN

HALF = ["data.val_percent=50"]  # of few demonstrations
PLAY = ["policy=video_plan", "episodes_per_task=2", "videos_per_task=0", "studio.image_px=32", "studio.max_steps=12"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Demonstrations of a Panda, an inverse dynamics and two planners trained on them for some steps."""
    root = tmp_path_factory.mktemp("unipi")
    tasks = task_folder(root / "tasks", "reach")
    few = ["demos_per_task=12", "studio.image_px=32", "embodiment=panda"]
    collect(compose("collect", [f"tasks={tasks}", f"out={root / 'demos'}", *few]))
    words = [*(f"model.{word}" for word in INVERSE), *toys.TRAINER, "data.batch_size=4", "data.val_batches=1", *HALF]
    words += [f"demos={root / 'demos'}", f"out={root / 'inverse'}"]
    train(compose("train", ["experiment=inverse_dynamics", *words]))
    for seed in (0, 1):
        more = [f"clips={root / 'demos'}", f"out={root / f'plan{seed}'}", f"seed={seed}"]
        train(toys.train_config("video_plan", *PLAN, *HALF, *more))
    return root


def unipi(made, plan="plan0"):
    return ImagineThenAct(
        plan=load_plan(made / plan, "cpu"), inverse_dynamics=inverse_reader.load(made / "inverse", "cpu")
    )


def observation(seed):
    generator = torch.Generator().manual_seed(seed)
    picture = torch.randint(0, 256, (3, toys.PX, toys.PX), dtype=torch.uint8, generator=generator)
    return Observation({"front": picture}, "reach the red block", torch.randn(8, generator=generator))


def play(made, out, *more, plan="plan0"):
    where = [f"plan={made / plan}", f"inverse_dynamics={made / 'inverse'}", f"tasks={made / 'tasks'}", f"out={out}"]
    rollout(compose("rollout", [*PLAY, *where, *more]))
    return [json.loads(line) for line in (out / "episodes.jsonl").read_text().splitlines()]


def test_chunks_begin_where_the_robot_is_and_go_on_where_the_last_picture_led(made):
    policy, seen = unipi(made), [observation(0), observation(1)]
    chunks = policy.act_batch(seen)
    plan, reader = policy.plan, policy.inverse
    for one, chunk in zip(seen, chunks, strict=True):
        assert chunk.actions.shape == (10, 8) == (policy.chunk_steps, len(policy.action_names))
        frames = torch.cat([one.images["front"][None], plan.imagine(one.images["front"][None, None], [one.text])[0]])
        relative = reader.actions(frames[:-1], frames[1:])
        first, second = chunk.actions[:5], chunk.actions[5:]
        torch.testing.assert_close(first[:, :7] - one.state[:7], relative[0, :, :7], atol=0.02, rtol=0.02)
        torch.testing.assert_close(second[:, :7] - first[-1, :7], relative[1, :, :7], atol=0.02, rtol=0.02)
        torch.testing.assert_close(chunk.actions[:, 7], relative[:, :, 7].flatten(), atol=0.02, rtol=0.02)
        torch.testing.assert_close(policy.act_batch([one])[0].actions, chunk.actions, atol=0.02, rtol=0.02)


def test_an_episode_is_played_to_its_end_and_again_the_same(made, tmp_path):
    rows = play(made, tmp_path / "one")
    assert [row["steps"] for row in rows] == [12, 12] or any(row["success_once"] for row in rows)
    assert rows == play(made, tmp_path / "two")
    assert read_manifest(tmp_path / "one")["policy_hash"] == unipi(made).hash


def test_another_planner_is_another_policy_and_plays_anew(made, tmp_path, capsys):
    first = play(made, tmp_path / "out")
    play(made, tmp_path / "out")
    assert "unchanged, skipped" in capsys.readouterr().out
    with pytest.raises(ValueError, match="inputs.plan"):
        play(made, tmp_path / "out", plan="plan1")
    second = play(made, tmp_path / "out", "overwrite=true", plan="plan1")
    assert first[0]["policy_hash"] == unipi(made).hash != unipi(made, "plan1").hash == second[0]["policy_hash"]


def test_it_is_held_against_the_robot_before_anything_runs(made, tmp_path):
    with pytest.raises(ValueError, match=r"embodiment: panda → ur5e \(embodiment=panda fits\)"):
        play(made, tmp_path / "a", "embodiment=ur5e")
    with pytest.raises(ValueError, match=r"image_px: 32 → 64.*execute_steps: 10 → 11 \(execute_steps=10 fits\)"):
        play(made, tmp_path / "b", "studio.image_px=64", "execute_steps=11")
    with pytest.raises(ValueError, match="this policy needs plan=FOLDER inverse_dynamics=FOLDER"):
        rollout(compose("rollout", [*PLAY, f"tasks={made / 'tasks'}", f"out={tmp_path / 'c'}"]))


def test_halves_that_do_not_fit_are_refused(made, tmp_path):
    plan, reader = load_plan(made / "plan0", "cpu"), inverse_reader.load(made / "inverse", "cpu")
    other = SimpleNamespace(gap_s=0.4, image_px=48)
    with pytest.raises(
        ValueError, match=r"gap_s is 0.5 in the plan, 0.4 in the inverse.*image_px is 32 in the plan, 48"
    ):
        ImagineThenAct(plan=plan, inverse_dynamics=other)
    with pytest.raises(ValueError, match="kind None, not a video_plan"):
        load_plan(made / "inverse", "cpu")
    with pytest.raises(ValueError, match="labels nothing"):
        inverse_reader.load(made / "plan0", "cpu")
    settings = checkpoint.load_settings(made / "inverse")
    del settings["facts"]["state_names"]
    checkpoint.save(tmp_path, reader.model, settings)
    with pytest.raises(ValueError, match="does not tell state_names: train it again"):
        inverse_reader.load(tmp_path, "cpu")
    with pytest.raises(ValueError, match="state has 2 numbers; this policy reads 8: joint1"):
        unipi(made).act_batch([observation(0)._replace(state=torch.zeros(2))])
