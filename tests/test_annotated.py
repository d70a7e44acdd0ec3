"""source=annotated and its layouts: the right frames with the right words; what is wrong with a row is told, never fatal."""

import json

import pytest
from raw_videos import block_left, cut_short, steady, write_video
from source_toys import built, read_all, source

from video_data.sources.segments import seconds


def write_csv(folder, rows: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "annotations.csv").write_text("video,text,start,end\n" + "".join(f"{row}\n" for row in rows))


def shares(clip) -> list[float]:
    """How far the block is in each frame: 0 at the video's start, 1 at its end."""
    return [block_left(frame.permute(1, 2, 0).numpy()) for frame in clip.frames]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """10 s; frame n of 301 shows the block after n / 300 of its way."""
    return write_video(tmp_path_factory.mktemp("video") / "a.mp4", times_ms=steady(301), size=(96, 96))


def annotated(folder, video, rows: list[str], *more: str):
    write_csv(folder, rows)
    (folder / "a.mp4").hardlink_to(video)
    return source("annotated", folder, "image_px=64", *more)


def test_segments_show_their_time_overlapping_nested_and_long(tmp_path, video):
    rows = ["a.mp4,late,0:00:08.0,9.0", "a.mp4,long,1,6.5", "a.mp4,nested,00:02,00:03.5", "a.mp4,over,6,8.5"]
    clips, faults = read_all(annotated(tmp_path, video, rows))
    assert not faults and len({clip.key for clip in clips}) == 7 and {clip.source for clip in clips} == {"a.mp4"}
    found = [(clip.text, round(clip.start_s, 1), len(clip.frames)) for clip in clips]
    assert found == [("long", 1, 18), ("nested", 2, 15), ("long", 2.8, 18), ("long", 4.6, 19), ("over", 6, 12),
                     ("over", 7.2, 13), ("late", 8, 10)]  # fmt: skip
    for clip in clips:
        wanted = [(clip.start_s + i / 10) / 10 for i in range(len(clip.frames))]
        assert shares(clip) == pytest.approx(wanted, abs=0.02)


def test_every_wrong_row_is_told_and_the_rest_is_kept(tmp_path, video):
    rows = [
        "a.mp4,good,1,3", "a.mp4,no time,4,4", "a.mp4,backwards,5,4", "a.mp4,after the end,20,22", "a.mp4,too long,9.9,14",
        "a.mp4,no number,soon,7", "gone.mp4,gone,1,2", "gone.mp4,gone,3,4", ",nothing,1,2", "../a.mp4,outside,1,2",
        "a.mp4,same as good,1,3", "a.mp4,a little too long,9,10.4", "a.mp4,,4,5",
        "a.mp4,not finite,nan,5", "a.mp4,milliseconds,9000,999999999", "a.mp4,no end,9.5,80000",
    ]  # fmt: skip
    clips, faults = read_all(annotated(tmp_path, video, rows))
    assert [clip.text for clip in clips] == ["good", "a little too long"] and len(clips[1].frames) == 11
    told = {name.removeprefix("a.mp4, "): reason for name, reason in faults.items()}
    assert told.pop("gone.mp4") == "is not there: 2 rows of annotations.csv tell of it"
    words = {
        "row 2": "lasts from 4 s to 4 s", "row 3": "lasts from 5 s to 4 s", "row 4": "the video ends at 10.1 s",
        "row 5": "lasts until 14.0 s", "row 6": "'soon'", "(no video), row 9": "nothing in column 'video'",
        "(no video), row 10": "outside of the folder", "row 11": "100% the same time as row 1",
        "row 13": "nothing in column 'text'", "row 14": "'nan'",
        "row 15": "more than a day", "row 16": "lasts until 80000.0 s",
    }  # fmt: skip
    assert told.keys() == words.keys() and all(words[name] in told[name] for name in words)


def test_a_damaged_video_costs_its_rows_and_no_other(tmp_path, video):
    made = annotated(tmp_path, video, ["a.mp4,good,1,3", "b.mp4,bad,1,3"])
    cut_short(video, tmp_path / "b.mp4")
    clips, faults = read_all(made)
    assert [clip.source for clip in clips] == ["a.mp4"] and list(faults) == ["b.mp4"]


def test_something_something(tmp_path):
    write_video(tmp_path / "7.webm", times_ms=steady(30), codec="libvpx-vp9", size=(64, 64))
    label = {"id": "7", "label": "pushing a cup", "template": "Pushing [something]", "placeholders": ["a cup"]}
    (tmp_path / "train.json").write_text(json.dumps([label, label | {"id": "8"}]))
    clips, faults = read_all(source("something_something", tmp_path))
    assert [(clip.text, clip.embodiment, len(clip.frames)) for clip in clips] == [("pushing a cup", "human", 10)]
    assert list(faults) == ["8.webm"]


def test_epic_kitchens(tmp_path, video):
    (tmp_path / "P01/videos").mkdir(parents=True)
    (tmp_path / "P01/videos/P01_01.MP4").hardlink_to(video)
    columns = "narration_id,participant_id,video_id,start_timestamp,stop_timestamp,start_frame,stop_frame,narration"
    row = "P01_01_0,P01,P01_01,00:00:00.14,00:00:01.37,8,202,open door"
    (tmp_path / "EPIC_100_train.csv").write_text(f"{columns}\n{row}\n")
    clips, faults = read_all(source("epic_kitchens", tmp_path))
    assert not faults and [(clip.text, clip.start_s, len(clip.frames)) for clip in clips] == [("open door", 0.2, 12)]


@pytest.mark.parametrize(
    "wrap, rows", [(True, ""), (False, "source.rows='{video_uid}/{narration_pass}/narrations/[]'")]
)
def test_ego4d_of_both_releases(tmp_path, video, wrap, rows):
    (tmp_path / "uid.mp4").hardlink_to(video)
    told = {"timestamp_sec": 4.0, "narration_text": "#C C opens the  door #unsure", "annotation_uid": "x"}
    passes = {
        "narration_pass_1": {"narrations": [told, told | {"timestamp_sec": 0.2}], "summaries": []},
        "narration_pass_2": {"narrations": [told | {"timestamp_sec": 4.1}]}, "status": "complete",
    }  # fmt: skip
    tree = {"uid": passes, "other": {"status": "redacted"}}
    (tmp_path / "narration.json").write_text(json.dumps({"videos": tree} if wrap else tree))
    clips, faults = read_all(source("ego4d", tmp_path, *([rows] if rows else [])))
    assert [(clip.text, round(clip.start_s, 1), len(clip.frames)) for clip in clips] == [
        ("opens the door", 0, 17), ("opens the door", 3.5, 20)]  # fmt: skip
    assert list(faults) == ["uid.mp4, row 3"] and "90% the same time as row 1" in faults["uid.mp4, row 3"]


def test_the_door_counts_and_a_new_table_is_a_new_result(tmp_path, video):
    made = annotated(tmp_path / "v", video, ["a.mp4,good,1,3", "a.mp4,bad,4,4"])
    manifest = built("annotated", tmp_path / "v", tmp_path / "out", "image_px=64")
    assert manifest["count"] == 1 and manifest["quarantined"] == 1 and manifest["frames"] == 20
    before = made.contents()
    write_csv(tmp_path / "v", ["a.mp4,better,1,3"])
    assert made.contents() != before


def test_tables_that_are_none_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"no table .*annotations\.csv: give source\.table=FILE"):
        source("annotated", tmp_path).items()
    for name, text in (("a.json", "{"), ("a.jsonl", "{}\n[1]\n"), ("a.json", '{"rows": []}'), ("a.csv", "video\n")):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=rf"{name} (cannot be read|has no rows)"):
            source("annotated", tmp_path, f"source.table={name}").items()


@pytest.mark.parametrize("text, value", [("12.5", 12.5), ("02:03", 123), ("01:02:03.5", 3723.5), (" 0 ", 0)])
def test_times(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "soon", "-1", "inf", "1:2:3:4", "1:-2"])
def test_no_times(text):
    with pytest.raises(ValueError, match="tells no time"):
        seconds(text)


def test_a_table_is_read_once_and_does_not_travel(tmp_path, video, monkeypatch):
    from multiprocessing.reduction import ForkingPickler

    from video_data.sources import annotated as module

    read, times = module.read_rows, []
    monkeypatch.setattr(module, "read_rows", lambda *where: times.append(where) or read(*where))
    made = annotated(tmp_path, video, [f"a.mp4,task {i},{i / 100},{i / 100 + 1}" for i in range(900)])
    items, contents = made.items(), made.contents()
    assert len(times) == 1 and items == made.items() and contents == made.contents()
    assert len(ForkingPickler.dumps(made)) < 10_000


def test_names_that_no_disk_has_are_told(tmp_path, video):
    made = annotated(tmp_path, video, [])
    names = ["x" * 300 + ".mp4", "nul\0.mp4", "half\ud800.mp4", "a.mp4"]
    rows = [{"video": name, "text": "do it", "start": 1, "end": 3} for name in names]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    made = source("annotated", tmp_path, "source.table=a.json")
    assert made.contents()
    clips, faults = read_all(made)
    assert [clip.source for clip in clips] == ["a.mp4"] and faults.keys() == set(names[:3])
