"""The solving door: a cell for each task and solver, resumable, and its solutions are solutions."""

import json
import shutil
from pathlib import Path

import numpy as np
from small_sim import studio, task, task_folder

from lapa.config import compose
from lapa.report import main as report
from lapa.report_gather import Stage, gather
from lapa.report_solved import Cell, Shelf, shelves
from lapa.stage import read_manifest
from sim_finetune.episode import make_env
from sim_finetune.solve import main, summarise

NOWHERE = Path("nowhere")
REST = ([], None, [], {}, None, None, None, [], {}, {})  # of a stage that wrote nothing else
SMALL = ["embodiment=hand", "solver=[mppi,cem]", "episodes_per_task=1", "studio.image_px=32"]
SMALL += [f"solvers.{name}.{what}" for name in ("mppi", "cem") for what in ("samples=12", "rounds=1")]


def test_the_door_fills_a_cell_for_each_pair_and_goes_on_where_it_was_stopped(tmp_path, capsys):
    shelf, whole, stopped = task_folder(tmp_path / "unsolved", "reach"), tmp_path / "whole", tmp_path / "stopped"
    main(compose("solve", [f"tasks={shelf}", f"out={whole}", *SMALL]))
    printed = capsys.readouterr().out
    assert "mppi" in printed and "cem" in printed
    ((name, cells),) = json.loads((whole / "solved.json").read_text()).items()
    assert name.startswith("reach_") and list(cells) == ["cem", "mppi"] and read_manifest(whole)["count"] == 2
    rows = [json.loads(line) for line in (whole / "attempts.jsonl").read_text().splitlines()]
    assert len({row["state_hash"] for row in rows}) == 1 and sum(cell["solved"] for cell in cells.values()) > 0
    for row in rows:
        if row["success_held"]:
            assert solves(row["actions"], row["seed"])

    (shelf_of_page,) = shelves(gather([whole], skip=stopped))
    assert shelf_of_page.solvers == ["cem", "mppi"] and [task for task, _ in shelf_of_page.rows] == [name]
    assert shelf_of_page.totals == [cell["solved"] for cell in cells.values()]
    report(compose("report", [f"runs={whole}", f"out={tmp_path / 'page'}"]))
    page = (tmp_path / "page" / "page.html").read_text()
    assert "Which tasks are done without the expert" in page and f"<td>{name}</td>" in page and "1 of 1" in page

    shutil.copytree(whole, stopped)
    for path in (stopped / "manifest.json", stopped / "attempts.jsonl", *stopped.glob("resume/*-cem.json")):
        path.unlink()  # as after a kill in one of the pairs
    main(compose("solve", [f"tasks={shelf}", f"out={stopped}", *SMALL]))
    assert read_manifest(stopped)["files"] == read_manifest(whole)["files"]


def solves(actions: list[list[float]], seed: int) -> bool:
    env = make_env(task("reach"), studio("hand"))
    env.reset(seed=seed)
    return [env.step(np.array(action))[4]["success"] for action in actions][-1]


def test_a_cell_counts_steps_of_solved_episodes_only():
    row = {"steps": 4, "success_held": True}
    cell = summarise([row, {**row, "steps": 60, "success_held": False}], 100)
    assert (cell["solved"], cell["mean_steps"], cell["simulated_steps"]) == (1, 4.0, 100)
    assert 0 < cell["wilson_95"][0] < 0.5 < cell["wilson_95"][1] < 1
    assert summarise([{**row, "success_held": False}], 1)["mean_steps"] is None


def test_a_task_that_a_solver_never_tried_is_told_apart_from_one_that_it_failed():
    cell = {"episodes": 4, "solved": 0, "wilson_95": [0.0, 0.49], "mean_steps": None, "simulated_steps": 4800}
    found = {"one": {"cem": cell, "ppo": {**cell, "solved": 3, "mean_steps": 12.3}}, "other": {"ppo": cell}}
    stage = Stage("solved", NOWHERE, {"record": "Attempt", "embodiment": "hand", "solved": found}, *REST)
    failed = Cell("0 of 4", "95 % 0\u00a0%–49\u00a0%, 4,800 steps simulated to find out", 0.0)
    ((_, one), (_, other)) = shelves([stage])[0].rows
    assert one[0] == other[1] == failed and other[0] == Cell("–", "not tried", 0.0)
    assert one[1].text == "3 of 4" and "12 steps" in one[1].title
    assert shelves([stage])[0]._replace(rows=[]) == Shelf("solved", "hand", ["cem", "ppo"], [], [0, 1])
    assert shelves([stage._replace(manifest=None)]) == []
