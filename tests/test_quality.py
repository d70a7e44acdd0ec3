"""Laws of a library's quality: hidden and miscoloured things are noticed, records are believed, the page tells it."""

import json

import numpy as np
import pytest
from small_sim import studio, task, task_folder
from small_tasks import small_env, small_task, thing

from lapa.config import compose
from lapa.report import main as report
from lapa.report_codes import cards, missing_cards
from lapa.report_gather import gather
from lapa.report_tasks import task_cards
from sim_finetune.alignment import alignment, nearest_colours
from sim_finetune.completion import completion
from sim_finetune.episode import make_env
from sim_finetune.library import save_evidence
from sim_finetune.objects import COLOURS
from sim_finetune.objects.parts import GREY
from sim_finetune.quality import measured
from sim_finetune.tasks import main

LOOKS = {"pixel_share": 0.002, "colour_share": 0.5}
HIDDEN = {"half_extents_m": [0.01, 0.01, 0.01], "place": {"kind": "inside", "container": "box"}}
BOX = {"half_extents_m": [0.06, 0.05, 0.04], "travel_rad": 1.6, "damping": 0.05}


def record(**facts):
    return {"embodiment": "panda", "rung": "accepted", "facts": {"R8_oracle": facts}}


def test_every_colour_is_told_in_light_and_shade():
    for name, colour in COLOURS.items():
        for shade in (0.7, 1.0):
            assert nearest_colours(np.array([np.array(colour) * shade * 255], np.uint8)) == [name]
    assert nearest_colours(np.array([np.array(GREY[:3]) * 255], np.uint8)) == [""]


def test_what_stands_in_the_open_is_aligned():
    env = small_env(small_task(thing("cube"), thing("other", colour="blue")), image_px=64)
    assert alignment(env, range(3), **LOOKS) == (1.0, [])


def test_what_lies_in_a_shut_box_is_not_seen():
    env = small_env(small_task(thing("box", "lidded_box", **BOX), thing("cube", **HIDDEN)), image_px=64)
    found = alignment(env, range(2), **LOOKS)
    assert found.share == 0.5 and all(fault.startswith("cube: fills 0.00%") for fault in found.faults)


def test_another_colour_than_the_task_says_is_noticed():
    env = small_env(small_task(thing("cube")), image_px=64)
    env.model.geom_rgba[env.model.geom("cube").id] = [*COLOURS["green"], 1]
    found = alignment(env, [0], **LOOKS)
    env.model.geom_rgba[env.model.geom("cube").id] = [*COLOURS["red"], 1]  # the compiled model is shared
    assert found == (0.0, ["cube: 0% of its colour is red (seed 0)"])


def test_the_oracle_is_played_when_nothing_is_recorded():
    found = completion(make_env(task("reach"), studio()), {}, range(2))
    assert found == (1.0, [], 2, "played", "")


def test_a_record_is_believed_and_not_played(monkeypatch):
    env = make_env(task("reach"), studio())
    monkeypatch.setattr(env, "reset", lambda **_: pytest.fail("played"))
    assert completion(env, record(solved=17, seeds=20, missed=[1, 2, 3]), range(2)) == (0.85, [], 20, "record", "")


def test_another_bodys_record_says_nothing():
    other = record(solved=0, seeds=20, missed=list(range(20))) | {"embodiment": "so101"}
    assert completion(make_env(task("reach"), studio()), other, range(2)).source == "played"


def test_who_failed_is_played_again_to_see_how_far_it_came():
    short = make_env(task("put_block_in_lidded_box"), studio(max_steps=5))
    found = completion(short, record(solved=3, seeds=4, missed=[7]), range(1))
    assert found == (0.75, [0.75, 0.75], 4, "record", "")


def test_a_task_that_cannot_begin_counts_as_never_completed():
    crowded = small_task(thing("one", half=0.1, region_m=[0, 0, 0, 0]), thing("two", half=0.1, region_m=[0, 0, 0, 0]))
    found = completion(make_env(crowded, studio()), {}, range(2))
    assert found.share == 0 and "no room" in found.fault


def test_what_was_measured_is_read_again(tmp_path, monkeypatch):
    folder, settings = task_folder(tmp_path / "lib", "reach"), {"seeds": range(1), **LOOKS}
    where = {"folder": folder, "studio": studio(), "parts": tmp_path / "parts"}
    first = measured(task("reach"), **where, **settings)
    monkeypatch.setattr("sim_finetune.quality.make_env", lambda *_: pytest.fail("measured again"))
    assert measured(task("reach"), **where, **settings) == first


def test_the_door_writes_shows_and_the_page_tells(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sim_finetune.diversity.embedder", lambda: None)  # it takes seconds to load
    folder = task_folder(tmp_path / "lib", "reach", "open_drawer")
    save_evidence(folder, task("open_drawer"), record(solved=19, seeds=20, missed=[3]))
    words = ["action=quality", f"library={folder}", f"out={tmp_path / 'worth'}", "quality.seeds=1"]
    main(compose("tasks", words))
    found = json.loads((tmp_path / "worth" / "quality.json").read_text())
    assert found["set"]["completion"] == pytest.approx(0.975) and found["set"]["alignment"] == 1
    said = capsys.readouterr().out
    assert "open_drawer" in said and "completed 95% of 20 (record)" in said
    stages = gather([tmp_path / "worth"], skip=tmp_path / "page")
    assert [card.count for card in task_cards(stages)] == [2]
    assert not cards(stages) and not missing_cards(stages)  # it is no card of latent codes, and none is missed
    report(compose("report", [f"runs={tmp_path / 'worth'}", f"out={tmp_path / 'page'}"]))
    page = (tmp_path / "page" / "page.html").read_text()
    assert "Quality of 2 tasks (worth)" in page and "97.5%" in page
    main(compose("tasks", words))
    assert "unchanged" in capsys.readouterr().out
