"""source=hdf5: robomimic's layout and LIBERO's; demonstrations become clips, damaged files are told."""

import json

import numpy as np
import pytest
from source_toys import film, read_all, source, step_of

from lapa.shards import read_shard, shard_paths
from video_data.build import main

h5py = pytest.importorskip("h5py")


def write(path, *, demos: int = 2, env: dict | None = None, about: dict | None = None, flip: bool = False):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        data = file.create_group("data")
        data.attrs["env_args"] = json.dumps(
            {"env_name": "toy", "env_kwargs": {"control_freq": 20} if env is None else env}
        )
        data.attrs.update(about or {})
        for number in range(demos):
            demo = data.create_group(f"demo_{number + 9}")
            demo.attrs["num_samples"] = 30
            pictures = film(30, base=40 + 60 * number)[:, :: -1 if flip else 1]
            demo.create_dataset(
                "obs/agentview_image", data=pictures, compression="gzip", chunks=(1, *pictures.shape[1:])
            )
            demo.create_dataset("obs/wrist_image", data=pictures)
            demo.create_dataset("obs/agent_pos", data=np.arange(60, dtype=np.float64).reshape(30, 2))
            demo.create_dataset("actions", data=np.ones((30, 7), np.float32))
    return path


def test_what_was_written_comes_back(tmp_path):
    write(tmp_path / "sub" / "a.hdf5", about={"text": "push  it"})
    made = source("hdf5", tmp_path, "source.arrays={state: obs/agent_pos, action: actions}", "source.embodiment=panda")
    assert [str(item) for item in made.items()][1:3] == [
        "sub/a.hdf5, demo_9, camera wrist_image", "sub/a.hdf5, demo_10, camera agentview_image"]  # fmt: skip
    clips, faults = read_all(made)
    assert not faults and len(clips) == 4 == len({clip.key for clip in clips})
    for number, clip in enumerate(clips):
        base = 40 + 60 * (number // 2)
        assert [step_of(clip, i, base) for i in range(15)] == pytest.approx([2 * i for i in range(15)], abs=0.5)
        assert clip.arrays["state"][:, 0].tolist() == [4 * i for i in range(15)] and clip.arrays["action"].shape == (
            15,
            7,
        )
        assert clip.text == "push it" and clip.embodiment == "panda"
    assert len({clip.key.partition("@")[0] for clip in clips}) == 2


def test_one_file_liberos_words_and_pictures_bottom_up(tmp_path):
    about = {"problem_info": json.dumps({"language_instruction": ["open the drawer"]})}
    path = write(tmp_path / "a.h5", about=about, flip=True)
    upright, _ = read_all(source("hdf5", path, "source.upside_down=true", "source.cameras=[wrist_image]"))
    turned, _ = read_all(source("hdf5", path, "source.cameras=[wrist_image]"))
    assert len(upright) == 2 and upright[0].text == "open the drawer"
    assert (upright[0].frames.flip(2) == turned[0].frames).all() and upright[0].frames[0, 0, :8].amax() > 200


def test_what_is_wrong_is_told_and_the_rest_is_kept(tmp_path):
    good = write(tmp_path / "good.hdf5", demos=1)
    (tmp_path / "cut.hdf5").write_bytes(good.read_bytes()[:5000])
    write(tmp_path / "no_rate.hdf5", demos=1, env={})
    with h5py.File(tmp_path / "blind.hdf5", "w") as file:
        file.create_dataset("data/demo_0/obs/agent_pos", data=np.zeros((3, 2)))
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file.create_dataset("images", data=np.zeros(3))
    damaged = bytearray(write(tmp_path / "damaged.hdf5", demos=1).read_bytes())
    damaged[-40_000:-4_000] = bytes(36_000)
    (tmp_path / "damaged.hdf5").write_bytes(damaged)
    clips, faults = read_all(source("hdf5", tmp_path))
    assert {clip.source.partition("/")[0] for clip in clips} >= {"good.hdf5"} and "no_rate.hdf5" not in str(clips)
    assert "has no pictures" in faults["blind.hdf5, demo_0"] and "not robomimic's" in faults["other.hdf5"]
    assert "control_freq" in faults["no_rate.hdf5, demo_9, camera wrist_image"] and "damaged" in faults["cut.hdf5"]
    _, faults = read_all(source("hdf5", good, "source.cameras=[top_image]", "source.arrays={state: obs/joints}"))
    assert "top_image" in faults["good.hdf5, demo_9, camera top_image"]
    with pytest.raises(ValueError, match=r"no \.hdf5, \.h5 in"):
        source("hdf5", tmp_path / "nowhere").items()


def test_the_door_writes_clips(tmp_path):
    from lapa.config import compose

    path = write(tmp_path / "in" / "a.hdf5")
    settings = ["source=hdf5", f"videos={path}", f"out={tmp_path / 'out'}", "image_px=16", "num_workers=0"]
    main(compose("build", [*settings, "filters.max_twin_bits=-1"]))  # all cameras show one picture
    assert len([clip for shard in shard_paths(tmp_path / "out") for clip in read_shard(shard)]) == 4


def test_without_the_extra_its_name_is_told(tmp_path, monkeypatch):
    path = write(tmp_path / "a.hdf5")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ValueError, match=r"needs h5py: pip install 'lapa\[hdf5\]'"):
        source("hdf5", path).items()
