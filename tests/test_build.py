"""lapa build: good, bad and odd videos; killed, moved, on a full disk: the same shards or one clear line."""

import base64
import errno
import io
import json
import multiprocessing
import os
import re
import resource
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import webdataset
from PIL import Image
from raw_videos import cut_short, steady, write_video

from lapa.config import compose
from lapa.shards import ShardIndex, read_shard, shard_paths
from lapa.stage import read_manifest, result_hashes
from lapa.video import decode_mp4
from video_data.build import main, make_cleaning, plan
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


def test_the_page_has_whole_pictures_and_the_manifests_numbers(built):
    manifest, page = read_manifest(built), (built / "page.html").read_text()
    pictures = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)"', page)
    assert len(pictures) == page.count("<img") == page.count("<figure>") > len(manifest["dropped"])
    for picture in pictures:
        assert Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB").size == (6 * 32, 32)
    shown = dict(re.findall(r'<h2>([^<]+?) <span class="faint">(\d+)</span>', page))
    dropped = {f"Dropped: {reason}": str(count) for reason, count in manifest["dropped"].items()}
    assert shown == {"Kept": str(manifest["count"])} | dropped
    counts = dict(re.findall(r'<tr><td>([^<]+)</td><td class="n">(\d+)', page))
    assert int(counts["videos"]) == manifest["videos"] and int(counts["clips kept"]) == manifest["count"]
    assert int(counts["videos quarantined"]) == manifest["quarantined"] == page.count("</td><td>")


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

    class Nothing:
        def read(self, item):
            return iter(())

    outcome, samples, *_ = read_item("a.mp4", Source(), make_cleaning(compose("build", ["out=x"])))
    assert outcome.clips == len(samples) == 1 and outcome.embodiments == {"hand": 1}
    assert outcome.quarantined == [{"item": "a.mp4, segment 3", "reason": "ends before it begins"}]
    outcome, *_ = read_item("c.mp4", Nothing(), make_cleaning(compose("build", ["out=x"])))
    assert outcome.quarantined == [{"item": "c.mp4", "reason": "holds nothing"}]
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


def test_a_result_inside_of_the_videos_or_around_them_and_odd_sizes_are_refused(videos, tmp_path):
    for out in (videos / "clips", videos.parent):
        with pytest.raises(ValueError, match="lie in each other"):
            build(videos, out)
    for setting in ("image_px=63", "fps=0"):
        with pytest.raises(ValueError, match=setting.replace("=", ".*")):
            main(compose("build", [f"videos={videos}", f"out={tmp_path / 'odd'}", setting]))


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


def test_a_shard_of_a_killed_run_does_not_stay_when_its_videos_cannot_be_read_any_more(videos, tmp_path, monkeypatch):
    out = tmp_path / "clips"
    monkeypatch.setattr("video_data.build.write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        build(videos, out, "videos_per_shard=11")
    (tar,) = shard_paths(out)
    monkeypatch.undo()
    monkeypatch.setattr(
        "video_data.sources.folder.FolderSource.read", lambda *_: (_ for _ in ()).throw(UnusableVideo("x"))
    )
    with pytest.raises(ValueError, match="none of 11 videos gave a clip"):
        build(videos, out, "videos_per_shard=11")
    assert not tar.exists() and not list(out.glob("*.tar"))


def test_more_shards_than_names_can_count_are_refused():
    assert len(plan(range(2_000_000), 2)) == 1_000_000
    with pytest.raises(ValueError, match="1000001 shards: choose videos_per_shard=3 or more"):
        plan(range(2_000_001), 2)


def _limited_build(videos: Path, out: Path, largest: int, answer) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    try:
        build(videos, out)
    except OSError as error:
        answer.send((error.errno, str(error)))
    else:
        answer.send((0, "nothing failed"))


def test_a_write_that_fails_in_the_middle_of_a_file_leaves_whole_files_only(videos, built, tmp_path):
    """By the kernel: no file may be larger than the smallest shard."""
    out, context = tmp_path / "clips", multiprocessing.get_context("fork")
    mine, theirs = context.Pipe()
    largest = min(path.stat().st_size for path in shard_paths(built)) + 512
    process = context.Process(target=_limited_build, args=(videos, out, largest, theirs))
    process.start()
    process.join()
    code, told = mine.recv()
    assert code == errno.EFBIG and "cannot write clips-" in told and "File too large" in told
    whole = {path.name: path.read_bytes() for path in out.rglob("*.tar")}
    assert not list(out.rglob(".*partial")) and not (out / "manifest.json").exists()
    assert all((built / name).read_bytes() == data for name, data in whole.items() if name.startswith("clips"))
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
