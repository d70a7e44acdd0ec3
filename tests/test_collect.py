"""Demonstrations: whole, the same bytes after a kill, honest about what failed; and clips without actions."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from einops import rearrange
from hydra.utils import instantiate
from small_sim import task_folder

from lapa.config import compose
from lapa.demos import statistics
from lapa.files import file_hash
from lapa.shards import ShardIndex, shard_paths
from lapa.stage import read_manifest
from lapa.video import decode_mp4, encode_mp4
from sim_finetune.collect import Watch, main
from sim_finetune.demos import plan_slices
from sim_finetune.episode import Jolts

SMALL = ["demos_per_task=6", "demos_per_shard=4", "studio.image_px=32", "embodiment=hand"]


def overrides(tasks, out, *more):
    return [f"tasks={tasks}", f"out={out}", *SMALL, *more]


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    return task_folder(tmp_path_factory.mktemp("lib") / "tasks", "reach", "push_to_zone")


@pytest.fixture(scope="module")
def demos(tasks, tmp_path_factory):
    out = tmp_path_factory.mktemp("demos") / "out"
    main(compose("collect", overrides(tasks, out)))
    return out


def hashes(folder):
    return {path.name: file_hash(path) for path in shard_paths(folder)}


def test_a_demonstration_has_a_frame_a_state_and_an_action_for_each_step(demos):
    manifest, index = read_manifest(demos), ShardIndex(shard_paths(demos))
    assert manifest["record"] == "Demo" and manifest["count"] == len(index) <= manifest["planned"] == 12
    for i in range(len(index)):
        sample = index[i]
        steps = sample["json"]["frames"]
        assert len(decode_mp4(sample["mp4"])) == len(sample["state.npy"]) == len(sample["action.npy"]) == steps
        assert sample["state.npy"].shape[1] == len(manifest["state_names"]) and sample["state.npy"].dtype == np.float32
        assert 1_000_000 <= sample["json"]["seed"] < 2_000_000
        assert sample["json"]["text"] and sample["json"]["fps"] == manifest["fps"] == 10
    assert len(manifest["statistics"]["action"]["q99"]) == len(manifest["action_names"])


def test_the_same_command_again_does_nothing_and_other_settings_are_refused(tasks, demos, capsys):
    main(compose("collect", overrides(tasks, demos)))
    assert "unchanged" in capsys.readouterr().out
    with pytest.raises(ValueError, match="demos_per_task"):
        main(compose("collect", overrides(tasks, demos, "demos_per_task=7")))


def test_killed_at_any_moment_and_run_again_gives_the_same_bytes(tasks, demos, tmp_path):
    out = tmp_path / "killed"
    door = "from lapa.config import compose; from sim_finetune.collect import main"
    code = f"{door}; main(compose('collect', {overrides(tasks, out)!r}))"
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "MUJOCO_GL": "egl"})
    while not list(out.glob("*.tar")) and process.poll() is None:  # a shard is whole, the next is being made
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.tar")}
    main(compose("collect", overrides(tasks, out)))
    assert hashes(out) == hashes(demos)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())  # what was whole was not made again
    assert read_manifest(out)["files"] == read_manifest(demos)["files"]


def test_failed_episodes_are_dropped_and_counted(tasks, tmp_path):
    one = task_folder(tmp_path / "push", "push_to_zone")
    hopeless = overrides(one, tmp_path / "out", "studio.max_steps=3", "demos_per_task=2")
    with pytest.raises(ValueError, match="the expert solved none of 2 demonstrations, with 3 seeds each"):
        main(compose("collect", hopeless))
    hard = overrides(one, tmp_path / "some", "studio.max_steps=34", "demos_per_task=8", "tries=1")
    main(compose("collect", hard))
    manifest = read_manifest(tmp_path / "some")
    assert manifest["count"] + manifest["dropped_episodes"] == 8 and manifest["dropped_episodes"] > 0


def test_some_families_have_the_demonstrations_they_have_among_all(tasks, demos, tmp_path):
    main(compose("collect", overrides(tasks, tmp_path / "out", "families=[reach]")))
    assert _films_of(tmp_path / "out", "reach") == _films_of(demos, "reach") and not _films_of(
        tmp_path / "out", "push_to_zone"
    )
    with pytest.raises(
        ValueError, match=r"no task of the families \['juggle'\]; there are \['push_to_zone', 'reach'\]"
    ):
        main(compose("collect", overrides(tasks, tmp_path / "none", "families=[reach,juggle]")))


def _films_of(folder, family):
    samples = list(ShardIndex(shard_paths(folder)))
    return {(sample["json"]["seed"], sample["mp4"]) for sample in samples if sample["json"]["family"] == family}


def test_slices_hold_each_demonstration_once_and_mix_tasks(tmp_path):
    slices = plan_slices(tmp_path, num_tasks=3, demos_per_task=5, demos_per_shard=6)
    demos = [demo for one in slices for demo in one.demos]
    assert sorted(demos) == [(task, demo) for task in range(3) for demo in range(5)]
    assert {task for task, _ in slices[0].demos} == {0, 1, 2} and [len(one.demos) for one in slices] == [6, 6, 3]


def test_statistics_are_those_of_the_columns():
    table = statistics(np.array([[0.0, 1.0], [2.0, 1.0]], np.float32))
    assert table["mean"] == [1.0, 1.0] and table["min"] == [0.0, 1.0] and table["std"] == [1.0, 0.0]


def test_watch_gives_pictures_words_and_the_tools_way_but_no_action(tasks):
    settings = {
        "image_px": 32,
        "control_hz": 10,
        "camera": "front",
        "max_steps": 60,
        "videos_per_task": 2,
        "look": None,
    }
    watch = Watch(tasks=str(tasks), embodiment="hand", seed_base=0, jolts=Jolts(0.0, 1, 0.0), **settings)
    assert watch.items() == [(0, 0), (1, 0), (0, 1), (1, 1)]
    frames, text, motion = watch.watch((1, 0))
    assert frames.shape[1:] == (32, 32, 3) and frames.dtype == np.uint8 and len(frames) == len(motion)
    assert "red block" in text and motion.dtype == np.float32 and np.abs(motion).max() < 0.6
    with pytest.raises(ValueError, match="was not completed in 2 steps"):
        Watch(
            tasks=str(tasks),
            embodiment="hand",
            seed_base=0,
            jolts={"chance": 0, "steps": 1, "size_m": 0},
            **{**settings, "max_steps": 2},
        ).watch((0, 0))


def test_a_robot_does_the_videos_episodes_when_it_has_their_seeds(tasks, tmp_path):
    """What ActionVLA is pretrained on: as many trajectories as there are videos, the same ones, with their actions."""
    sizes = [
        "demos_per_task=3",
        "tries=1",
        "jolts.chance=0.0",
        "seed_base=0",
        "seed=0",
        "studio.image_px=32",
        "embodiment=panda",
    ]
    main(compose("collect", [f"tasks={tasks}", f"out={tmp_path / 'out'}", *sizes]))
    index = ShardIndex(shard_paths(tmp_path / "out"))
    films = compose("build", ["source=simulated", f"tasks={tasks}", "out=x", "image_px=32"]).source.episodes
    watch = instantiate({**films, "videos_per_task": 3, "embodiment": "panda"}, _convert_="all")
    numbers = {spec.hash: number for number, spec in enumerate(watch.specs)}
    shown = {
        (numbers[demo["json"]["task"]], demo["json"]["seed"]) for demo in map(index.__getitem__, range(len(index)))
    }
    assert len(shown) >= 4
    for missing in set(watch.items()) - shown:
        with pytest.raises(ValueError, match="was not completed"):
            watch.watch(missing)
    for demo in map(index.__getitem__, range(2)):
        frames, text, motion = watch.watch((numbers[demo["json"]["task"]], demo["json"]["seed"]))
        assert np.array_equal(demo["motion.npy"], motion) and demo["json"]["text"] == text
        film = encode_mp4(rearrange(torch.from_numpy(frames), "t h w c -> t c h w"), fps=10)
        assert film == demo["mp4"]


def test_counts_that_are_none_are_named(tasks, tmp_path):
    for slip in ("demos_per_task=1e2", "demos_per_shard=0", "tries=-1"):
        with pytest.raises(ValueError, match=rf"{slip.split('=')[0]}=.*: a whole number of at least 1 is needed"):
            main(compose("collect", overrides(tasks, tmp_path / "o", slip)))


def test_a_folder_without_tasks_or_with_a_wrong_one_is_named(tmp_path):
    with pytest.raises(ValueError, match="no folder of tasks"):
        main(compose("collect", overrides(tmp_path / "none", tmp_path / "o")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no tasks \(\*.json, \*.yaml, \*.yml\)"):
        main(compose("collect", overrides(tmp_path / "empty", tmp_path / "o")))
    bad = task_folder(tmp_path / "bad", "reach")
    (bad / "reach.yaml").write_text((bad / "reach.yaml").read_text().replace("object: target", "object: teapot"))
    with pytest.raises(
        ValueError, match=r"reach.yaml: .*no object 'teapot'; this task has \['target', 'other1', 'other2'\]"
    ):
        main(compose("collect", overrides(bad, tmp_path / "o")))


@pytest.mark.slow
def test_ray_with_two_workers_changes_no_byte(tasks, demos, tmp_path):
    pytest.importorskip("ray")
    main(compose("collect", overrides(tasks, tmp_path / "out", "executor=ray", "num_workers=2")))
    assert hashes(tmp_path / "out") == hashes(demos)
    assert read_manifest(tmp_path / "out")["files"] == read_manifest(demos)["files"]
