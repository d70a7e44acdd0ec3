"""video_data.sources.files, words: every file under a folder is found, and a table's odd names and words end nothing."""

import json
import os

import pytest
from raw_videos import steady, write_video
from source_toys import read_all, source

from video_data.sources.files import files_under, inside


def touch(folder, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_files_at_any_depth_behind_links_and_round_no_circle(tmp_path):
    touch(tmp_path / "v", "b/2", "b/10", "B/1", "a", ".git/x", "b/.x")
    touch(tmp_path / "elsewhere", "deep/c")
    (tmp_path / "v" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "v")
    (tmp_path / "v" / "nowhere").symlink_to(tmp_path / "gone")
    assert list(files_under(tmp_path / "v")) == ["B/1", "a", "b/10", "b/2", "link/deep/c", "nowhere"]


def test_a_folder_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    touch(tmp_path, "open/a", "secret/b")
    scan = os.scandir

    def refuse(folder):
        if str(folder).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError, match="secret"):
        list(files_under(tmp_path))


@pytest.mark.parametrize("name", ["../a.mp4", "/etc/a.mp4", "a/../../b.mp4"])
def test_a_name_that_leads_out_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="outside of the folder"):
        inside(name)
    touch(tmp_path, "a.mp4", "b/a.png")
    (tmp_path / "manifest.jsonl").write_text(json.dumps({"path": "a.mp4"}) + "\n" + json.dumps({"path": name}))
    for kind in (["folder"], ["frames", "source.images_per_s=10"]):
        with pytest.raises(ValueError, match=r"manifest\.jsonl, line 2: names a file outside"):
            source(kind[0], tmp_path, *kind[1:]).items()


def test_odd_names_and_words_cost_their_video_and_no_other(tmp_path):
    good = write_video(tmp_path / "good.mp4", times_ms=steady(30))
    (tmp_path / "round.mp4").symlink_to("round.mp4")
    for name in ("outside", "number", "long"):
        (tmp_path / f"{name}.mp4").hardlink_to(good)
    (tmp_path / "long.txt").write_text("word " * 300_000)
    rows = [{"path": name} for name in ("x" * 300 + ".mp4", "nul\0.mp4", "half\ud800.mp4", ".", "gone.mp4")]
    rows += [{"path": "good.mp4", "text": "push\u2028the\x85block"}]
    rows += [{"path": "outside.mp4", "actions": "../x.parquet"}, {"path": "number.mp4", "actions": 5}]
    text = "\ufeff" + "\r\n".join(json.dumps(row, ensure_ascii=row["path"] != "good.mp4") for row in rows)
    (tmp_path / "manifest.jsonl").write_text(text)
    made = source("folder", tmp_path, "source.state=true")
    clips, faults = read_all(made)
    assert [(clip.source, clip.text) for clip in clips] == [("good.mp4", "push the block"), ("number.mp4", "")]
    assert (
        len(faults) == 8
        and "is not there" in faults["round.mp4"]
        and "no words of one video" in faults["long.mp4"]
        and "outside of" in faults["outside.mp4"]
    )
    assert made.contents() == source("folder", tmp_path).contents()
    (tmp_path / "manifest.jsonl").write_text('{"path": "good.mp4"}\n{"path": "./good.mp4"}\n')
    with pytest.raises(ValueError, match=r"line 2: good\.mp4 has a line already"):
        made.items()
