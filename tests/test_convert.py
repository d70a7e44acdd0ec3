"""LeRobotDatasets in: every row and frame of v2.1 and v3.0 arrives; what is broken is named, left out and counted."""

import json
import shutil
from io import BytesIO

import numpy as np
import pytest
from lerobot_toys import CAMERAS, FPS, LENGTHS, NAMES, TASKS, grey, key, rows_of, write_table, write_v21, write_v30
from PIL import Image
from raw_videos import write_video
from small_sim import task_folder

from lapa import hub
from lapa.config import compose
from lapa.lerobot import contents, names_of, open_dataset
from lapa.lerobot_rows import BrokenEpisode, read_film, read_pictures, read_rows
from lapa.shards import ShardIndex, shard_paths
from lapa.video import decode_mp4
from policy.data import DemoData
from video_data.convert import main

FEATURES = {"state": "observation.state", "action": "action", "tolerance_s": 1e-3}
WRITERS = {"v2.1": write_v21, "v3.0": write_v30}


@pytest.fixture(params=sorted(WRITERS))
def dataset(request, tmp_path):
    return WRITERS[request.param](tmp_path / "dataset")


def convert(dataset, out, *more) -> dict:
    main(compose("convert", [f"dataset={dataset}", f"out={out}", "image_px=16", "demos_per_shard=2", *more]))
    return json.loads((out / "manifest.json").read_text())


def demos(folder) -> dict[str, dict]:
    index = ShardIndex(shard_paths(folder))
    return {index.keys[i]: index[i] for i in range(len(index))}


def test_every_row_and_frame_of_every_episode_is_found(dataset):
    about, episodes = open_dataset(dataset)
    assert about.fps == FPS and about.robot == "so101" and tuple(about.cameras) == CAMERAS
    assert names_of(about, "action") == NAMES and [episode.length for episode in episodes] == list(LENGTHS)
    for episode in episodes:
        rows = read_rows(about, episode, **FEATURES)
        assert np.array_equal(rows.state, np.stack(rows_of(episode.number, 0, 0)["observation.state"]))
        assert np.array_equal(rows.action, rows.state + np.float32(0.1))
        assert about.tasks[int(rows.tasks[0])] == TASKS[episode.number % 2]
        for camera in CAMERAS:
            seen = list(read_pictures(about, episode, key(camera), rows.times_s, tolerance_s=1e-3))
            wanted = [grey(episode.number, row, camera) for row in range(episode.length)]
            assert [picture.mean() for picture in seen] == pytest.approx(wanted, abs=1.5)


def test_demonstrations_hold_what_the_dataset_held(dataset, tmp_path):
    manifest = convert(dataset, tmp_path / "demos")
    assert manifest["record"] == "Demo" and manifest["count"] == 3 and manifest["frames"] == sum(LENGTHS)
    assert manifest["cameras"] == list(CAMERAS) and manifest["fps"] == FPS and manifest["embodiment"] == "so101"
    found = demos(tmp_path / "demos")
    assert list(found) == ["so101-000000", "so101-000001", "so101-000002"]
    for number, demo in enumerate(found.values()):
        assert demo["json"]["text"] == TASKS[number % 2] and len(demo["state.npy"]) == LENGTHS[number]
        for camera, name in zip(CAMERAS, ("mp4", "wrist.mp4"), strict=True):
            film = decode_mp4(demo[name])
            assert film.shape == (LENGTHS[number], 3, 16, 16)
            wanted = [grey(number, row, camera) for row in range(LENGTHS[number])]
            assert film.float().mean((1, 2, 3)).tolist() == pytest.approx(wanted, abs=2.5)


def test_a_slower_rate_takes_every_nth_row_and_its_last_command(dataset, tmp_path):
    assert convert(dataset, tmp_path / "demos", "fps=10")["fps"] == 10
    demo = demos(tmp_path / "demos")["so101-000000"]  # seven rows: 0 2 4 6
    assert demo["state.npy"][:, 1].tolist() == [0, 2, 4, 6]
    assert demo["action.npy"][:, 1].tolist() == pytest.approx([1.1, 3.1, 5.1, 6.1])
    assert decode_mp4(demo["mp4"]).float().mean((1, 2, 3)).tolist() == pytest.approx([20, 36, 52, 68], abs=2.5)
    with pytest.raises(ValueError, match=r"fps=8 is no whole fraction of the dataset's 20 Hz: choose from 20, 10"):
        convert(dataset, tmp_path / "other", "fps=8")


def test_a_policys_data_module_reads_them(dataset, tmp_path):
    convert(dataset, tmp_path / "demos")
    overrides = ["experiment=action_policy", f"demos={tmp_path / 'demos'}", "init_from=null", "out=x"]
    settings = dict(compose("train", overrides).data) | {"batch_size": 2, "val_percent": 0, "num_workers": 0}
    data = DemoData(**{name: value for name, value in settings.items() if name != "_target_"})
    batch = next(iter(data._loader(data.stream("train"))))
    assert batch.images["wrist"].shape == (2, 3, 16, 16) and batch.actions.shape == (2, 8, 3)
    assert data.facts()["action_names"] == NAMES


def test_conversion_is_skipped_when_done_goes_on_when_cut_and_sees_another_dataset(dataset, tmp_path, capsys):
    out = tmp_path / "demos"
    convert(dataset, out)
    whole = {path.name: path.read_bytes() for path in out.glob("*.tar")}
    for name in ("manifest.json", "demos-000001.tar", "resume/demos-000001.json"):
        (out / name).unlink()
    convert(dataset, out)
    assert {path.name: path.read_bytes() for path in out.glob("*.tar")} == whole
    moved = shutil.move(dataset, tmp_path / "elsewhere")
    convert(moved, out)
    assert "unchanged, skipped" in capsys.readouterr().out
    (moved / "meta/info.json").write_text((moved / "meta/info.json").read_text() + " ")
    with pytest.raises(ValueError, match="holds a result of other settings"):
        convert(moved, out)


def test_what_the_simulation_exports_comes_back(tmp_path):
    from sim_finetune.collect import main as collect

    settings = [
        "embodiment=hand",
        "studio.image_px=32",
        "studio.cameras=[front,top]",
        "demos_per_task=2",
        "export=lerobot",
    ]
    tasks = task_folder(tmp_path / "tasks", "reach")
    collect(compose("collect", [f"out={tmp_path / 'made'}", f"tasks={tasks}", *settings]))
    manifest = convert(tmp_path / "made/lerobot", tmp_path / "back", "image_px=32")
    assert manifest["embodiment"] == "hand" and manifest["cameras"] == ["front", "top"]
    for made, back in zip(demos(tmp_path / "made").values(), demos(tmp_path / "back").values(), strict=True):
        assert np.array_equal(made["state.npy"], back["state.npy"]) and np.array_equal(
            made["action.npy"], back["action.npy"]
        )
        assert made["json"]["text"] == back["json"]["text"]
        difference = decode_mp4(made["top.mp4"]).float() - decode_mp4(back["top.mp4"]).float()
        assert difference.abs().mean() < 3  # encoded a second time


def test_broken_episodes_are_left_out_and_told(tmp_path):
    dataset = write_v21(tmp_path / "dataset")
    next(dataset.rglob("*wrist/episode_000000.mp4")).unlink()
    rows = rows_of(1, 7, 1)
    rows["action"][3] = np.full(3, np.nan, np.float32)
    write_table(dataset / "data/chunk-000/episode_000001.parquet", rows)
    manifest = convert(dataset, tmp_path / "demos")
    assert manifest["count"] == 1 and manifest["quarantined"] == 2 and manifest["planned"] == 3
    told = [json.loads(line) for line in (tmp_path / "demos/quarantine.jsonl").read_text().splitlines()]
    assert "episode_000000.mp4 of observation.images.wrist is not there" in told[0]["reason"]
    assert told[1] == {"item": "episode 1", "reason": "has numbers in action that are not finite"}


def test_an_episode_that_hangs_what_reads_it_is_broken(dataset, tmp_path):
    """Read elsewhere: a library that hangs or crashes on a film does not end the conversion."""
    with pytest.raises(ValueError, match="none of 3 episodes can be used"):
        convert(dataset, tmp_path / "demos", "timeout_s=0")
    told = [json.loads(line) for line in (tmp_path / "demos/quarantine.jsonl").read_text().splitlines()]
    assert [row["reason"] for row in told] == ["hangs the decoder: nothing for 0 s (timeout_s)"] * 3


def faulty(column: str, change):
    rows = rows_of(1, 7, 1)
    rows[column] = change(rows[column])
    return rows


FAULTS = {
    "has 9 rows": {name: values[:9] for name, values in rows_of(1, 7, 1).items()},
    "out of order": faulty("frame_index", lambda values: values[::-1]),
    "not 1/20 s apart": faulty("timestamp", lambda values: [1.1 * value for value in values]),
    "has 2 numbers in action, the dataset says 3": faulty("action", lambda values: [row[:2] for row in values]),
    "does task 7": faulty("task_index", lambda values: [7] * len(values)),
    r"episode_000001\.parquet is unusable: No match for .*action": {
        name: values for name, values in rows_of(1, 7, 1).items() if name != "action"
    },
    "unusable data": faulty("action", lambda values: [row[: 2 + i % 2] for i, row in enumerate(values)]),
}


@pytest.mark.parametrize("words", sorted(FAULTS))
def test_a_faulty_table_has_its_reason(words, tmp_path):
    dataset, episodes = open_dataset(write_v21(tmp_path))
    write_table(tmp_path / "data/chunk-000/episode_000001.parquet", FAULTS[words])
    with pytest.raises(BrokenEpisode, match=words):
        read_rows(dataset, episodes[1], **FEATURES)


def test_a_film_that_ends_early_or_is_damaged_has_its_reason(tmp_path):
    dataset, episodes = open_dataset(write_v21(tmp_path))
    late = np.arange(9) / FPS
    with pytest.raises(BrokenEpisode, match=r"no frame within 0\.001 s of 0\.350 s"):
        list(read_pictures(dataset, episodes[0], key("front"), late, tolerance_s=1e-3))
    with pytest.raises(BrokenEpisode, match=r"no frame within 0\.001 s of 0\.025 s"):
        list(read_pictures(dataset, episodes[0], key("front"), late + 0.025, tolerance_s=1e-3))
    (tmp_path / episodes[0].films[key("front")].path).write_bytes(b"no video")
    with pytest.raises(BrokenEpisode, match=r"damaged episode_000000\.mp4"):
        list(read_pictures(dataset, episodes[0], key("front"), late, tolerance_s=1e-3))


def test_av1_films_are_read_from_the_middle(tmp_path):
    path = write_video(tmp_path / "a.mp4", times_ms=[50 * i for i in range(40)], codec="libsvtav1", options={"g": "8"})
    seen = list(read_film(path, np.arange(25, 30) / 20, tolerance_s=1e-3))
    left = [
        int((picture[picture.shape[0] // 2, :, 0].astype(int) - picture[48, :, 2] > 100).argmax()) for picture in seen
    ]
    assert left == pytest.approx([(128 - 24) * i / 39 for i in range(25, 30)], abs=1.5)


def test_pictures_inside_the_table_are_read(tmp_path):
    dataset = write_v21(tmp_path)
    info = json.loads((dataset / "meta/info.json").read_text())
    info["features"][key("front")]["dtype"] = "image"
    (dataset / "meta/info.json").write_text(json.dumps(info))
    buffers = [BytesIO() for _ in range(LENGTHS[0])]
    for row, buffer in enumerate(buffers):
        Image.new("RGB", (8, 8), (grey(0, row),) * 3).save(buffer, "PNG")
    pictures = [{"bytes": buffer.getvalue(), "path": "x.png"} for buffer in buffers]
    write_table(dataset / "data/chunk-000/episode_000000.parquet", rows_of(0, 0, 0) | {key("front"): pictures})
    about, episodes = open_dataset(dataset)
    seen = list(read_pictures(about, episodes[0], key("front"), np.array([0, 3, 4]) / FPS, tolerance_s=1e-3))
    assert [picture[0, 0, 0] for picture in seen] == [grey(0, 0), grey(0, 3), grey(0, 4)]


def test_an_episode_of_two_tasks_is_two_demonstrations_of_one_side(tmp_path):
    dataset = write_v21(tmp_path / "dataset")
    rows = rows_of(0, 0, 0)
    rows["task_index"][4:] = [1] * 3
    write_table(dataset / "data/chunk-000/episode_000000.parquet", rows)
    convert(dataset, tmp_path / "demos")
    found = demos(tmp_path / "demos")
    assert list(found)[:2] == ["so101-000000@000", "so101-000000@001"]
    assert [demo["json"]["text"] for demo in found.values()][:2] == TASKS
    assert found["so101-000000@001"]["state.npy"][:, 1].tolist() == [4, 5, 6]
    assert decode_mp4(found["so101-000000@001"]["mp4"]).float().mean((1, 2, 3))[0] == pytest.approx(grey(0, 4), abs=2)


def edited(dataset, **changes):
    path = dataset / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return dataset


def test_bad_datasets_are_named(tmp_path):
    dataset = write_v21(tmp_path / "dataset")
    with pytest.raises(ValueError, match=r"meta/info\.json is missing"):
        open_dataset(tmp_path)
    with pytest.raises(ValueError, match=r"no camera 'top' in .*\['front', 'wrist'\]"):
        convert(dataset, tmp_path / "out", "cameras=[top]")
    with pytest.raises(ValueError, match=r"image_px=63: demonstrations are mp4, whose sides are even"):
        convert(dataset, tmp_path / "out", "image_px=63")
    with pytest.raises(ValueError, match=r"no feature 'joints'"):
        convert(dataset, tmp_path / "out", "state=joints")
    with pytest.raises(ValueError, match=r"state_names must be as many different names"):
        convert(dataset, tmp_path / "out", "state_names=[a,b]")
    with pytest.raises(ValueError, match=r"does not say whose robot"):
        convert(edited(dataset, robot_type=None), tmp_path / "out")
    with pytest.raises(ValueError, match=r"version v1\.6; read are v2\.0, v2\.1, v3\.0"):
        open_dataset(edited(dataset, codebase_version="v1.6"))
    with pytest.raises(ValueError, match="outside of the dataset"):
        open_dataset(edited(dataset, codebase_version="v2.1", data_path="../{episode_index}.parquet"))
    with pytest.raises(ValueError, match="has no rate"):
        open_dataset(edited(dataset, data_path="{episode_index}.parquet", fps=0))
    with pytest.raises(ValueError, match="is no LeRobotDataset's"):
        open_dataset(edited(dataset, features=None))


def test_unnamed_numbers_get_names_that_tie_no_action_to_a_state(tmp_path):
    dataset = write_v21(tmp_path / "dataset")
    info = json.loads((dataset / "meta/info.json").read_text())
    for name in ("observation.state", "action"):
        info["features"][name]["names"] = None
    (dataset / "meta/info.json").write_text(json.dumps(info))
    manifest = convert(dataset, tmp_path / "demos")
    assert manifest["state_names"] == ["state_0", "state_1", "state_2"] and manifest["action_names"][0] == "action_0"
    named = convert(dataset, tmp_path / "named", "state_names=[a,b,c]", "action_names=[a,b,c]")
    assert named["state_names"] == named["action_names"] == ["a", "b", "c"]


def test_a_name_that_is_no_folder_is_asked_of_the_hub(tmp_path, monkeypatch):
    dataset, asked = write_v30(tmp_path / "dataset"), []

    def snapshot(name, **settings):
        asked.append((name, settings["repo_type"], settings["revision"]))
        return str(dataset)

    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    assert convert("someone/cups", tmp_path / "demos", "revision=v3.0")["dataset"] == "someone/cups"
    assert asked == [("someone/cups", "dataset", "v3.0")]
    copy = shutil.copytree(dataset, tmp_path / "copy")
    assert contents(dataset) == contents(copy)
    table = next((copy / "data").rglob("*.parquet"))
    table.write_bytes(table.read_bytes()[:-9] + bytes(9))  # of the same size
    assert contents(dataset) != contents(copy)


def test_a_name_that_the_hub_does_not_give_is_told_in_one_line(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match="no folder someone/cups, and the hub gives no dataset 'someone/cups'"):
        hub.fetch("someone/cups", kind="dataset", revision=None)
    with pytest.raises(ValueError, match="no name on the hub"):
        hub.fetch("/no/such/folder", kind="dataset", revision=None)
