"""lapa build: good, bad and odd videos; killed, moved, on a full disk: the same shards or one clear line."""

import errno
import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import webdataset
from raw_videos import cut_short, steady, write_video

from lapa.config import compose
from lapa.shards import ShardIndex, read_shard, shard_paths
from lapa.stage import read_manifest, result_hashes
from lapa.video import decode_mp4
from video_data.build import main, make_cleaning
from video_data.clip import Clip, Fault, clip_key
from video_data.header import UnusableVideo
from video_data.read import read_item

SMALL = ["image_px=32", "max_clip_s=1", "videos_per_shard=2", "num_workers=0"]
SMALL += ["filters.max_twin_bits=-1"]  # these videos show one thing


def build(videos: Path, out: Path, *more: str) -> None:
    main(compose("build", [f"videos={videos}", f"out={out}", *SMALL, *more]))


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> Path:
    """Five videos of use, one still, one stub, two broken."""
    folder = tmp_path_factory.mktemp("videos")
    write_video(folder / "push.the.block.mp4", times_ms=steady(75))
    write_video(folder / "push" / "the block.mkv", times_ms=steady(30), audio=True)
    write_video(folder / "push_the_block.MP4", times_ms=steady(30), size=(160, 96))
    write_video(folder / "slow.avi", times_ms=steady(30), codec="mpeg4")
    write_video(folder / "turn_it.gif", times_ms=steady(15, fps=10), codec="gif")
    write_video(folder / "still.mp4", times_ms=steady(30), moves=False)
    write_video(folder / "stub.mp4", times_ms=steady(9))
    write_video(folder / "one.mp4", times_ms=[0])
    cut_short(folder / "still.mp4", folder / "broken.mp4")
    (folder / "notes.pdf").write_bytes(b"not a video by its name")
    os.link(folder / "still.mp4", os.fsencode(folder) + b"/caf\xe9.mp4")
    rows = [{"path": "slow.avi", "instruction": "slide the block", "embodiment": "hand"}, {"path": "gone.mp4"}]
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def built(videos, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("built") / "clips"
    build(videos, out)
    return out


def clips(folder: Path) -> list[dict]:
    return [sample for path in shard_paths(folder) for sample in read_shard(path)]


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_nothing_is_lost_without_a_reason(built):
    manifest = read_manifest(built)
    assert manifest["record"] == "Clip" and manifest["videos"] == 11
    assert manifest["count"] == len(clips(built)) == 3 + 1 + 1 + 1 + 2
    assert manifest["dropped"] == {"no motion": 1, "too short": 1}
    bad = [row["item"] for row in rows(built / "quarantine.jsonl")]
    assert bad == ["broken.mp4", "caf\udce9.mp4", "gone.mp4", "one.mp4"]
    assert all(row["reason"] and "\n" not in row["reason"] for row in rows(built / "quarantine.jsonl"))
    assert manifest["embodiments"] == {"": 7, "hand": 1} and manifest["fps"] == 10 and manifest["image_px"] == 32


def test_a_clip_is_what_its_json_says(built):
    for clip in clips(built):
        frames, facts = decode_mp4(clip["mp4"]), clip["json"]
        assert tuple(frames.shape) == (facts["frames"], 3, 32, 32) and facts["fps"] == 10
        assert 7 <= facts["frames"] <= 10 and set(clip) == {"__key__", "mp4", "json"}
    texts = {clip["json"]["source"]: clip["json"]["text"] for clip in clips(built)}
    assert texts["slow.avi"] == "slide the block" and texts["turn_it.gif"] == "turn it"


def test_names_with_dots_slashes_and_spaces_stay_apart(built):
    keys = [clip["__key__"] for clip in clips(built)]
    assert len(set(keys)) == len(keys) and not any(set(key) & set("./ ") for key in keys)
    sources = {key.partition("@")[0]: clip["json"]["source"] for key, clip in zip(keys, clips(built), strict=True)}
    assert len(sources) == len(set(sources.values())) == 5


def test_processes_change_no_byte(videos, built, tmp_path):
    build(videos, tmp_path / "clips", "num_workers=2")
    assert result_hashes(tmp_path / "clips") == result_hashes(built)


def test_a_part_that_cannot_be_used_is_quarantined_and_the_rest_is_kept():
    class Source:
        def read(self, item):
            frames = torch.full((10, 3, 16, 16), 60, dtype=torch.uint8)
            for number, frame in enumerate(frames):
                frame[:, 4:9, number : number + 5] = 200
            yield Fault("a.mp4, segment 3", "ends before it begins")
            yield Clip(clip_key(item, 0), frames, 10.0, "", item, "hand", 0.0, {})
            if item == "b.mp4":
                raise UnusableVideo("is damaged")

    outcome, samples, *_ = read_item("a.mp4", Source(), make_cleaning(compose("build", ["out=x"])))
    assert outcome.clips == len(samples) == 1 and outcome.embodiments == {"hand": 1}
    assert outcome.quarantined == [{"item": "a.mp4, segment 3", "reason": "ends before it begins"}]
    outcome, samples, *_ = read_item("b.mp4", Source(), make_cleaning(compose("build", ["out=x"])))
    assert not samples and [row["item"] for row in outcome.quarantined] == ["a.mp4, segment 3", "b.mp4"]


def test_a_moved_folder_is_the_same_and_a_new_video_is_not(videos, built, tmp_path, capsys):
    moved = shutil.copytree(videos, tmp_path / "moved")
    before = {path: path.stat().st_mtime_ns for path in built.glob("*.tar")}
    build(moved, built)
    assert "skipped" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in built.glob("*.tar")}
    write_video(moved / "new.mp4", times_ms=steady(30))
    with pytest.raises(ValueError, match="contents"):
        build(moved, built)


def _forked_build(videos: Path, out: Path) -> None:
    build(videos, out)


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_at_random_and_run_again_gives_the_same_bytes(videos, built, tmp_path, seed):
    rng, out = np.random.default_rng(seed), tmp_path / "clips"
    for _ in range(3):
        process = multiprocessing.get_context("fork").Process(target=_forked_build, args=(videos, out))
        process.start()
        time.sleep(rng.uniform(0.2, 1.5))
        process.kill()
        process.join()
    build(videos, out)
    assert result_hashes(out) == result_hashes(built)
    assert read_manifest(out)["files"] == read_manifest(built)["files"]


def test_a_full_disk_is_one_line_and_nothing_is_lost(videos, built, tmp_path, monkeypatch):
    out, write, written = tmp_path / "clips", webdataset.TarWriter.write, []

    def full_after_six(self, sample):
        written.append(sample["__key__"])
        if len(written) > 6:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, sample)

    monkeypatch.setattr(webdataset.TarWriter, "write", full_after_six)
    with pytest.raises(
        OSError, match=r"cannot write (clips|examples)-\d+\.tar: No space left on device.*clips"
    ) as caught:
        build(videos, out)
    assert caught.value.errno == errno.ENOSPC
    assert shard_paths(out) and not list(out.glob(".*partial")) and not (out / "manifest.json").exists()
    monkeypatch.undo()
    build(videos, out)
    assert result_hashes(out) == result_hashes(built)


def test_no_videos_names_the_folder_and_the_endings(tmp_path):
    (tmp_path / "a.pdf").touch()
    with pytest.raises(ValueError, match=rf"no videos in {tmp_path}: looked for .mp4, .webm, .mkv, .avi, .mov, .gif"):
        build(tmp_path, tmp_path / "out")
    with pytest.raises(ValueError, match="no folder"):
        build(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(ValueError, match="needs videos=FOLDER"):
        main(compose("build", [f"out={tmp_path / 'out'}"]))


def test_only_bad_videos_is_an_error_that_says_where_the_reasons_are(tmp_path):
    write_video(tmp_path / "videos" / "one.mp4", times_ms=[0])
    with pytest.raises(ValueError, match=r"none of 1 videos gave a clip: see .*quarantine\.jsonl"):
        build(tmp_path / "videos", tmp_path / "out")
    assert rows(tmp_path / "out" / "quarantine.jsonl")[0]["item"] == "one.mp4"


def test_an_unknown_way_to_fit_names_the_choices(videos, tmp_path):
    with pytest.raises(ValueError, match="there are crop, pad"):
        build(videos, tmp_path / "out", "source.cutting.fit=stretch")


def test_the_index_finds_each_clip(built):
    index = ShardIndex(shard_paths(built))
    assert [index[i]["__key__"] for i in range(len(index))] == [clip["__key__"] for clip in clips(built)]
