"""source=lerobot: v2.1 and v3.0, every camera, words by task, state and action of the frames that are shown."""

import os
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from bad_servers import refuse, reset, serving
from lerobot_toys import CAMERAS, FPS, LENGTHS, TASKS, grey, rows_of, write_table, write_v21, write_v30
from source_toys import read_all, source

from lapa import hub
from video_data.clip import Clip

ARRAYS = "source.arrays={state: observation.state, action: action}"


@pytest.mark.parametrize("write", [write_v21, write_v30])
def test_every_film_arrives_with_its_rows_and_words(write, tmp_path):
    clips, faults = read_all(source("lerobot", write(tmp_path), ARRAYS))
    assert not faults and len(clips) == len(LENGTHS) * len(CAMERAS) == len({clip.key for clip in clips})
    for clip, (episode, camera) in zip(clips, ((e, c) for e in range(3) for c in CAMERAS), strict=True):
        rows = range(0, LENGTHS[episode], FPS // 10)
        greys = [grey(episode, row, camera) for row in rows]
        assert clip.frames.float().mean((1, 2, 3)).tolist() == pytest.approx(greys, abs=1.5)
        assert clip.arrays["state"].tolist() == [[episode, row, 0] for row in rows]
        assert np.array_equal(clip.arrays["action"], clip.arrays["state"] + np.float32(0.1))
        assert clip.text == TASKS[episode % 2] and clip.embodiment == "so101" and clip.fps == 10
    sides = {clip.key.partition("@")[0]: clip.source for clip in clips}  # what a split goes by
    assert len(sides) == len(LENGTHS) == len(set(sides.values()))


def test_the_dataset_faster_than_the_clips_or_slower(tmp_path):
    clips, _ = read_all(source("lerobot", write_v30(tmp_path), "fps=40", "source.cameras=[wrist]", ARRAYS))
    assert [len(clip.frames) for clip in clips] == [13, 19, 7] and clips[1].arrays["state"][:3, 1].tolist() == [0, 0, 1]


def test_a_task_that_changes_cuts_and_broken_episodes_are_told(tmp_path):
    dataset = write_v21(tmp_path)
    rows = rows_of(0, 0, 0)
    rows["task_index"][4:] = [1] * 3
    write_table(dataset / "data/chunk-000/episode_000000.parquet", rows)
    next(dataset.rglob("*wrist/episode_000001.mp4")).write_bytes(b"no film")
    clips, faults = read_all(source("lerobot", dataset))
    assert [clip.text for clip in clips[:2]] == TASKS and clips[1].start_s == pytest.approx(4 / FPS) and len(clips) == 7
    assert list(faults) == ["episode 1, camera wrist"] and "damaged" in faults["episode 1, camera wrist"]
    assert not clips[0].arrays


def test_a_name_is_asked_of_the_hub_and_mistakes_are_named(tmp_path, monkeypatch):
    dataset = write_v30(tmp_path)
    monkeypatch.setattr(hub, "snapshot_download", lambda name, **_: str(dataset) if name == "someone/cups" else None)
    assert len(source("lerobot", "someone/cups").items()) == 6
    with pytest.raises(ValueError, match=r"no camera 'top' in .*\['front', 'wrist'\]"):
        source("lerobot", dataset, "source.cameras=[top]")
    with pytest.raises(ValueError, match="no feature 'joints'"):
        source("lerobot", dataset, "source.arrays={state: joints}")


@pytest.mark.parametrize("fault", [refuse(500), reset])
def test_a_hub_that_fails_is_told(fault, tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "WAITS_S", (0, 0))
    with serving() as server, pytest.raises(ValueError, match="and the hub gives no dataset 'someone/cups': .+"):
        server.pages = defaultdict(lambda: fault)
        ask = partial(hub.snapshot_download, endpoint=server.address, cache_dir=tmp_path)
        monkeypatch.setattr(hub, "snapshot_download", ask)
        source("lerobot", "someone/cups")
    assert len(server.asked) >= 3, "it is asked again"


@pytest.mark.skipif("LAPA_REAL_VIDEO" not in os.environ, reason="LAPA_REAL_VIDEO names no folder of real clips")
def test_real_clips_of_a_humanoid(tmp_path):
    from benchmarks.g1_dataset import link_dataset

    dataset = link_dataset(Path(os.environ["LAPA_REAL_VIDEO"]), "g1", tmp_path)
    made = source("lerobot", dataset, ARRAYS)
    items = made.items()
    clips = [clip for clip in made.read(items[0]) if isinstance(clip, Clip)]
    assert len(items) == 60 and clips and clips[0].arrays["state"].shape == (len(clips[0].frames), 26)
