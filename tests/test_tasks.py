"""`lapa tasks`: words become keys; every action does what it says, and a mistake gets one line with the choices."""

import json
import subprocess
import sys

import mujoco
import pytest
from PIL import Image
from simulation import TASKS
from small_sim import task, task_folder

from lapa.config import compose
from lapa.doors import named
from lapa.video import decode_mp4
from sim_finetune.ladder import RUNGS
from sim_finetune.library import load_library, load_task, save_evidence
from sim_finetune.tasks import find, main

SMALL = ["embodiment=hand", "picture_px=32", "ladder=quick"]


def tasks(*words: str) -> None:
    main(compose("tasks", [*named("tasks", list(words)), *SMALL]))


def test_bare_words_fill_the_doors_own_keys_and_reach_hydra_unharmed():
    assert named("tasks", ["show", "seed=1", "reach"]) == ["action='show'", "seed=1", "name='reach'"]
    assert named("tasks", []) == [] and named("report", ["runs=[a]"]) == ["runs=[a]"]
    for path in ("a b,{c}/d[1].json", "it's $x.json", "\\n", "C:\\", "\\'"):
        assert compose("tasks", named("tasks", ["validate", path])).name == path


def test_a_word_too_many_is_refused():
    with pytest.raises(ValueError, match="configuration of `tasks`"):
        compose("tasks", named("tasks", ["show", "reach", "twice"]))


def test_the_table_has_a_line_for_every_task_that_ships(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    tasks()
    said = capsys.readouterr().out
    assert all(f" {name} " in said for name in TASKS) and "put the red block on the cyan stand" in said


def test_a_library_shows_what_its_ladder_found(tmp_path, capsys):
    folder = task_folder(tmp_path / "lib", "reach")
    save_evidence(folder, task("reach"), {"rung": "accepted", "facts": {"R8_oracle": {"solved": 7}}})
    tasks("list", f"library={folder}")
    assert "accepted" in capsys.readouterr().out
    tasks("show", task("reach").hash[:5], f"library={folder}")
    said = capsys.readouterr().out
    assert "touch the red block" in said or "reach the red block" in said
    assert '"solved": 7' in said and '"tool_near"' in said


def test_pictures_and_films_are_written(tmp_path, capsys):
    folder = task_folder(tmp_path / "lib", "reach", "open_drawer")
    tasks("render", f"library={folder}", f"out={tmp_path}", "sheet_columns=2")
    assert Image.open(tmp_path / "contact_sheet.png").width == 64
    tasks("render", "reach", f"out={tmp_path}", "studio.cameras=[front,top]")
    assert len(list(tmp_path.glob("reach_*-*.png"))) == 2
    tasks("play", "reach", f"out={tmp_path}")
    assert "done in" in capsys.readouterr().out
    (film,) = tmp_path.glob("reach_*-hand-0.mp4")
    assert len(decode_mp4(film.read_bytes())) > 9


def test_validate_tells_each_rung_and_the_place_of_the_fault(tmp_path, capsys):
    good, bad = tmp_path / "good.json", tmp_path / "bad one.json"
    good.write_text(task("reach").model_dump_json())
    tasks("validate", str(good))
    said = capsys.readouterr().out
    assert all(f"✓ {rung}" in said for rung in RUNGS) and task("reach").hash in said
    document = json.loads(good.read_text())
    bad.write_text(json.dumps({**document, "goal": {**document["goal"], "object": "teapot"}}))
    with pytest.raises(ValueError, match=r"bad one\.json: refused at R2_names: .*goal\.object: no object 'teapot'"):
        tasks("validate", str(bad))
    assert "✓ R1_schema" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_drawn_values_of_a_file_are_drawn_with_the_seed(tmp_path, suffix):
    path = tmp_path / f"family{suffix}"
    document = task("push_to_zone").model_dump(mode="json", exclude_defaults=True)
    document["objects"][0]["half_extents_m"] = [{"uniform": [0.05, 0.07]}, 0.06]
    path.write_text(json.dumps(document, indent="\t" if suffix == ".json" else None))
    first, second = (find(compose("tasks", named("tasks", ["show", str(path), f"seed={s}"]))) for s in (1, 2))
    assert first.hash != second.hash == find(compose("tasks", named("tasks", ["show", str(path), "seed=2"]))).hash
    tasks("validate", str(path), "seed=2", "ladder=quick")
    with pytest.raises(ValueError, match=f"family{suffix}: .*values to draw; a seed makes it one"):
        load_task(path)


def test_an_export_is_a_library_and_its_scenes_load(tmp_path):
    folder = task_folder(tmp_path / "lib", "reach", "open_drawer")
    tasks("export", f"library={folder}", f"out={tmp_path / 'ex'}")
    assert {spec.hash for spec in load_library(tmp_path / "ex")} == {spec.hash for spec in load_library(folder)}
    for path in (tmp_path / "ex").glob("*.xml"):
        assert mujoco.MjModel.from_xml_string(path.read_text()).nbody > 3
    schema = json.loads((tmp_path / "ex" / "schema" / "task.schema.json").read_text())
    assert {"objects", "goal"} <= set(schema["properties"])


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["juggle"], "no action 'juggle'; there are"),
        (["show"], "show needs a task"),
        (["show", "teapot"], r"no task is called 'teapot'; there are \['align_corner_"),
        (["validate"], "validate needs a file"),
        (["list", "library=/nowhere"], "no folder of tasks /nowhere"),
    ],
)
def test_a_mistake_gets_one_line_with_the_choices(words, fault):
    with pytest.raises(ValueError, match=fault):
        tasks(*words)


def test_the_command_line_enters_it(tmp_path):
    command = [sys.executable, "-m", "lapa", "tasks", "show", "teapot"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and done.stderr.startswith("lapa tasks: no task is called 'teapot'")
