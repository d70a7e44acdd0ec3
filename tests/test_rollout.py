"""Rollouts: the expert succeeds, chance does not, everybody starts equally, a killed run goes on, rows come whole."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_sim import studio, task, task_folder

from lapa.config import compose
from lapa.parquet import read_table
from lapa.records import ActionChunk, Observation, checked
from lapa.stage import read_manifest
from lapa.video import decode_mp4
from sim_finetune.episode import make_env
from sim_finetune.games import play_through, play_together
from sim_finetune.players import Learnt, Oracle, Random, Still
from sim_finetune.rollout import main, plan_parts, summarise


class Stubborn:
    """A policy of two steps a chunk, that notes what it was asked."""

    hash, embodiment = "stub", "panda"

    def __init__(self):
        self.asked: list[int] = []

    def act_batch(self, observations: list[Observation]) -> list[ActionChunk]:
        self.asked.append(len(observations))
        return [ActionChunk(checked(one).state.expand(2, -1).clone()) for one in observations]


def play(player, *, name="reach", seeds=range(3_000_000, 3_000_012), execute_steps=1, body="panda", max_steps=40):
    envs = [make_env(task(name), studio(body, max_steps)) for _ in seeds]
    games = [play_through(env, seed=seed, execute_steps=execute_steps) for env, seed in zip(envs, seeds, strict=True)]
    return [played.row for played in play_together(games, player)]


def test_the_expert_as_a_player_succeeds_and_random_actions_do_not():
    expert, chance = play(Oracle()), play(Random(seed=0))
    assert all(row["success_held"] and row["success_once"] and row["success_at_end"] for row in expert)
    assert sum(row["success_held"] for row in chance) <= 1
    assert [row["state_hash"] for row in expert] == [row["state_hash"] for row in chance]  # pairs are pairs
    assert len({row["state_hash"] for row in expert}) == len(expert)


def test_side_by_side_is_as_one_after_the_other():
    seeds = range(3_000_000, 3_000_003)
    together = play(Oracle(), seeds=seeds)
    assert together == [play(Oracle(), seeds=range(seed, seed + 1))[0] for seed in seeds]


def test_a_policy_is_asked_once_for_all_and_its_chunk_is_carried_out():
    stub = Stubborn()
    rows = play(Learnt(policy=stub), seeds=range(4), execute_steps=2, max_steps=6)
    assert stub.asked == [4, 4, 4] and [row["steps"] for row in rows] == [6] * 4


def test_latency_is_that_of_the_pass_and_leaves_out_the_first(monkeypatch):
    clock = SimpleNamespace(now_s=0.0, perf_counter=lambda: clock.now_s)
    monkeypatch.setattr("sim_finetune.games.time", clock)

    class Slow(Still):
        def act_envs(self, envs):
            clock.now_s += 0.02 if clock.now_s else 1.0
            return super().act_envs(envs)

    envs = [make_env(task("reach"), studio("hand", steps)) for steps in (1, 4)]
    games = [play_through(env, seed=1, execute_steps=1) for env in envs]
    assert [played.latency_ms for played in play_together(games, Slow())] == pytest.approx([1000, 20])


def test_stages_that_were_done_are_counted():
    expert, nothing = (
        play(player, name="store_block_in_drawer", seeds=range(1), max_steps=400)[0] for player in (Oracle(), Still())
    )
    assert expert["success_held"] and expert["stages_done"] == expert["stages"] == nothing["stages"] > 1
    assert nothing["stages_done"] == 0


def test_a_policy_of_another_robot_is_refused():
    with pytest.raises(ValueError, match="the policy moves 'panda'; this environment has 'hand'"):
        play(Learnt(policy=Stubborn()), body="hand", seeds=range(1))


def test_observation_is_a_checked_record():
    env = make_env(task("reach"), studio())
    env.reset(seed=0)
    from sim_finetune.players import observe

    seen = checked(observe(env))
    assert seen.images["front"].shape == (3, 32, 32) and seen.images["front"].dtype == torch.uint8
    assert seen.state.shape == (8,) and "red block" in seen.text
    assert np.array_equal(seen.images["front"].permute(1, 2, 0).numpy(), env.draw("front"))


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    return task_folder(tmp_path_factory.mktemp("lib") / "tasks", "reach")


def overrides(tasks: Path, out: Path, *more: str) -> list[str]:
    small = ["policy=expert", "episodes_per_task=5", "batch=2", "studio.image_px=32", "video_px=64"]
    return [f"tasks={tasks}", f"out={out}", *small, *more]


def test_the_door_writes_rows_summary_and_videos_and_goes_on_where_it_was_stopped(tasks, tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    main(compose("rollout", overrides(tasks, whole)))
    rows = [json.loads(line) for line in (whole / "episodes.jsonl").read_text().splitlines()]
    assert [row["seed"] for row in rows] == list(range(3_000_000, 3_000_005))
    summary = json.loads((whole / "summary.json").read_text())
    assert summary["all"]["success_held"]["rate"] == 1.0 and read_manifest(whole)["count"] == 5
    table = read_table(whole / "episodes.parquet", None).to_pylist()
    assert [{key: row[key] for key in row if key != "latency_ms"} for row in table] == rows  # a clock is no result
    assert all(row["latency_ms"] > 0 for row in table) and "episodes.parquet" not in read_manifest(whole)["files"]
    assert {"policy_hash": "expert", "renderer": "egl", "failure": "", "stages_done": 0, "stages": 0}.items() <= rows[
        0
    ].items()
    video = decode_mp4((whole / f"rollout_{rows[0]['task']}_3000000.mp4").read_bytes())
    assert len(video) == rows[0]["steps"] + 1 and video.shape[1:] == (3, 64, 64)

    main(compose("rollout", overrides(tasks, stopped)))
    before = read_table(stopped / "episodes.parquet", ["latency_ms"]).column(0).to_pylist()
    for name in ("manifest.json", "resume/part-00001.jsonl", "episodes.jsonl", "episodes.parquet"):
        (stopped / name).unlink()  # as after a kill in the second part
    main(compose("rollout", overrides(tasks, stopped)))
    assert read_manifest(stopped)["files"] == read_manifest(whole)["files"]
    after = read_table(stopped / "episodes.parquet", ["latency_ms"]).column(0).to_pylist()
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False, False, True]


def test_a_checkpoint_that_is_not_there_is_named(tasks, tmp_path):
    with pytest.raises(ValueError, match="no folder"):
        main(compose("rollout", overrides(tasks, tmp_path / "o", "policy=checkpoint", f"checkpoint={tmp_path}/none")))
    with pytest.raises(ValueError, match="needs checkpoint=FOLDER"):
        main(compose("rollout", overrides(tasks, tmp_path / "o", "policy=checkpoint")))


def test_parts_hold_each_episode_once(tmp_path):
    parts = plan_parts(tmp_path, num_tasks=2, seeds=range(5), batch=3)
    assert [episode for part in parts for episode in part.episodes] == [(t, s) for t in range(2) for s in range(5)]


def test_summary_counts_by_family():
    row = {"family": "reach", "steps": 4, "success_once": True, "success_at_end": False, "success_held": False}
    summary = summarise([row, {**row, "family": "push"}, {**row, "success_once": False}])
    assert summary["all"]["success_once"]["successes"] == 2 and summary["families"]["push"]["episodes"] == 1
    low, high = summary["families"]["reach"]["success_once"]["wilson_95"]
    assert 0 < low < 0.5 < high < 1
