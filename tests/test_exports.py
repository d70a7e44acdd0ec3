"""Exports: what a stranger's reader finds is what was collected, frame by frame; a format that is not there is named."""

import io
import json

import av
import numpy as np
import pytest
import torch
from small_sim import task_folder

from lapa.config import compose
from lapa.parquet import read_table
from lapa.shards import ShardIndex, shard_paths
from lapa.video import decode_mp4, encode_mp4, join_mp4
from sim_finetune.collect import main
from sim_finetune.exports import check_format, export, formats

SMALL = ["embodiment=hand", "studio.image_px=32", "studio.cameras=[front,top]", "demos_per_task=2", "demos_per_shard=3"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of four demonstrations of two tasks, exported as lerobot, and its manifest."""
    folder = tmp_path_factory.mktemp("export")
    tasks = task_folder(folder / "tasks", "reach", "open_drawer")
    main(compose("collect", [f"out={folder / 'demos'}", f"tasks={tasks}", "export=lerobot", *SMALL]))
    return folder / "demos", json.loads((folder / "demos" / "manifest.json").read_text())


def demos(folder) -> list[dict]:
    index = ShardIndex(shard_paths(folder))
    return [index[i] for i in range(len(index))]


def table(path) -> dict[str, list]:
    return read_table(path, None).to_pydict()


def test_every_format_has_a_writer_and_another_is_named():
    assert formats() == ["hdf5", "lerobot"]
    check_format(None)
    with pytest.raises(ValueError, match=r"no export 'zarr'; there are \['hdf5', 'lerobot'\]"):
        check_format("zarr")


def test_joined_clips_are_the_frames_of_all_in_order_and_time():
    rng = torch.Generator().manual_seed(0)
    frames = [torch.randint(0, 255, (n, 3, 32, 32), generator=rng, dtype=torch.uint8) for n in (7, 1, 12)]
    clips = [encode_mp4(part, fps=10) for part in frames]
    joined = join_mp4(clips, fps=10)
    assert torch.equal(decode_mp4(joined), torch.cat([decode_mp4(clip) for clip in clips]))
    with av.open(io.BytesIO(joined)) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx([k / 10 for k in range(20)])


def test_lerobot_holds_every_frame_of_every_demonstration(made):
    folder, _ = made
    home, wanted = folder / "lerobot", demos(folder)
    frames = table(home / "data/chunk-000/file-000.parquet")
    assert np.array_equal(np.float32(frames["action"]), np.concatenate([demo["action.npy"] for demo in wanted]))
    assert np.array_equal(np.float32(frames["observation.state"]), np.concatenate([d["state.npy"] for d in wanted]))
    assert frames["index"] == list(range(len(frames["action"])))
    assert frames["timestamp"] == pytest.approx(np.array(frames["frame_index"]) / 10, abs=1e-6)
    tasks = table(home / "meta/tasks.parquet")
    said = [tasks["task"][number] for number in frames["task_index"]]
    assert said == [demo["json"]["text"] for demo in wanted for _ in demo["state.npy"]]


def test_lerobots_episodes_point_into_tables_and_films(made):
    folder, manifest = made
    home, wanted = folder / "lerobot", demos(folder)
    episodes = table(home / "meta/episodes/chunk-000/file-000.parquet")
    ends = np.cumsum([len(demo["state.npy"]) for demo in wanted])
    assert episodes["dataset_to_index"] == ends.tolist() and episodes["length"][0] == ends[0]
    for camera, name in (("front", "mp4"), ("top", "top.mp4")):
        film = decode_mp4((home / f"videos/observation.images.{camera}/chunk-000/file-000.mp4").read_bytes())
        assert len(film) == ends[-1]
        for number, demo in enumerate(wanted):
            span = [episodes[f"videos/observation.images.{camera}/{end}_timestamp"][number] for end in ("from", "to")]
            first, last = (round(second * manifest["fps"]) for second in span)
            assert torch.equal(film[first:last], decode_mp4(demo[name]))


def test_lerobots_info_and_statistics_say_what_there_is(made):
    folder, manifest = made
    info, stats = (json.loads((folder / "lerobot/meta" / name).read_text()) for name in ("info.json", "stats.json"))
    assert info["codebase_version"] == "v3.0" and info["total_episodes"] == manifest["count"] == 4
    assert info["total_frames"] == manifest["frames"] and info["robot_type"] == "hand"
    assert info["features"]["action"]["names"] == manifest["action_names"]
    assert set(stats) == set(info["features"])
    assert stats["action"]["mean"] == pytest.approx(manifest["statistics"]["action"]["mean"], abs=1e-5)
    picture = torch.cat([decode_mp4(demo["mp4"]) for demo in demos(folder)]).double() / 255
    found = stats["observation.images.front"]
    assert np.squeeze(found["mean"]) == pytest.approx(picture.mean((0, 2, 3)).numpy())
    assert np.squeeze(found["std"]) == pytest.approx(picture.std((0, 2, 3), correction=0).numpy())
    assert np.squeeze(found["max"]) == pytest.approx(picture.amax((0, 2, 3)).numpy())
    path = info["video_path"].format(video_key="observation.images.top", chunk_index=0, file_index=0)
    assert (folder / "lerobot" / path).is_file()


def test_hdf5_holds_every_frame_of_every_demonstration(made, tmp_path):
    h5py = pytest.importorskip("h5py")
    folder, manifest = made
    export("hdf5", folder, tmp_path, manifest)
    with h5py.File(tmp_path / "demos.hdf5") as file:
        assert len(file["data"]) == len(file["mask/train"]) == 4
        assert file["data"].attrs["total"] == manifest["frames"]
        assert json.loads(file["data"].attrs["env_args"])["env_kwargs"]["embodiment"] == "hand"
        for number, demo in enumerate(demos(folder)):
            group = file[f"data/demo_{number}"]
            assert np.array_equal(group["actions"], demo["action.npy"]) and group["dones"][-1] == 1
            assert np.array_equal(group["obs/agent_pos"], demo["state.npy"])
            shown = decode_mp4(demo["top.mp4"]).permute(0, 2, 3, 1).numpy()
            assert np.array_equal(group["obs/top_image"], shown) and group.attrs["text"] == demo["json"]["text"]
