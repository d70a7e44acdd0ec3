"""video_data.sources.words: the nearest words win, and what cannot be read is named."""

import json

import pytest

from video_data.sources.words import read_manifest_rows, words_in_name, words_of


@pytest.mark.parametrize(
    "stem, words",
    [
        ("03_push-the_red.block", "push the red block"),
        ("move_coke_can_near_taylor_swift", "move coke can near taylor swift"),
        ("episode_000001", ""),
        ("IMG_1234", ""),
        ("0007", ""),
        ("Kaffee_über_den_Tisch", "kaffee über den tisch"),
    ],
)
def test_words_in_a_name(stem, words):
    assert words_in_name(stem) == words


def test_manifest_before_text_before_json_before_name(tmp_path):
    video = tmp_path / "push_the_block.mp4"
    row = {"path": video.name, "instruction": "from  the\nmanifest", "embodiment": "hand"}
    assert words_of(video, {}).text == "push the block"
    video.with_suffix(".json").write_text(json.dumps({"text": "from json", "embodiment": "arm"}))
    assert words_of(video, {}) == ("from json", "arm")
    assert words_of(video, row) == ("from the manifest", "hand")
    video.with_suffix(".txt").write_text("from text\n")
    assert words_of(video, {"path": video.name}).text == "from text"


@pytest.mark.parametrize("beside", ["[1, 2]", "9" * (1 << 21), '{"boxes": []}'])
def test_a_json_beside_a_video_that_has_no_words_says_nothing(tmp_path, beside):
    video = tmp_path / "push_the_block.mp4"
    video.with_suffix(".json").write_text(beside)
    assert words_of(video, {}).text == "push the block"


def test_what_cannot_be_read_is_named_unless_the_manifest_has_the_words(tmp_path):
    video = tmp_path / "a.mp4"
    video.with_suffix(".json").write_text("{")
    assert words_of(video, {"text": "push"}).text == "push"
    with pytest.raises(ValueError, match="not JSON"):
        words_of(video, {})
    assert words_of(tmp_path / ("x" * 251 + ".mp4"), {}).text == ""  # with .json too long for a file's name


def test_what_is_nested_too_deeply_is_a_fault_of_one_file(tmp_path):
    """It ended the whole build."""
    (tmp_path / "a.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        words_of(tmp_path / "a.mp4", {})


def test_a_manifest_that_is_not_utf8_is_named_by_its_line(tmp_path):
    (tmp_path / "manifest.jsonl").write_bytes('{"path": "a.mp4"}\n{"path": "é.mp4"}\n'.encode("latin-1"))
    with pytest.raises(ValueError, match=r"manifest\.jsonl, line 2: not UTF-8"):
        read_manifest_rows(tmp_path)


@pytest.mark.parametrize("line, fault", [("{", "line 2: not JSON"), ("[1]", "must be an object"), ("{}", 'no "path"')])
def test_a_bad_line_of_the_manifest_is_named(tmp_path, line, fault):
    (tmp_path / "manifest.jsonl").write_text('{"path": "a.mp4"}\n' + line + "\n")
    with pytest.raises(ValueError, match=fault):
        read_manifest_rows(tmp_path)


def test_no_manifest_is_no_rows(tmp_path):
    assert read_manifest_rows(tmp_path) == {}
