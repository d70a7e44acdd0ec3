"""Libraries that ship: every task is what its name says and was proved, a sample is proved again; `ship` makes them."""

import json
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from small_sim import studio, task, task_folder

from lapa.config import compose
from lapa.doors import configs_dir, named
from sim_finetune.ladder import PASSED, RUNGS, SOLVING, climb
from sim_finetune.library import (
    library_path,
    load_evidence,
    load_libraries,
    load_library,
    load_task,
    save_evidence,
    save_task,
    shipped,
    task_paths,
)
from sim_finetune.novelty import signature
from sim_finetune.shipping import MADE
from sim_finetune.tasks import main

GENERATED = sorted(set(shipped()) - {"seeds"})
MOST_BYTES = 1_500_000
FEW = {
    "R6_not_solved": {"random_seeds": 1, "random_share": 0.0},
    "R8_oracle": {"seeds": 2, "share": 0.5, "wilson_low": 0.05},
}
SAMPLE = 6


def tasks(*words: str) -> None:
    main(compose("tasks", named("tasks", list(words))))


@pytest.mark.parametrize("name", GENERATED)
def test_every_task_that_ships_is_named_by_its_hash_and_was_proved_at_fifty_seeds(name):
    specs = []
    for path in task_paths(name):
        specs.append(load_task(path))
        record = load_evidence(name, specs[-1])
        assert path.stem == specs[-1].hash and specs[-1].provenance.proposer
        assert record["rung"] == PASSED and list(RUNGS) == sorted(record["facts"], key=list(RUNGS).index)
        assert record["facts"][SOLVING]["seeds"] >= 50 and record["facts"][SOLVING]["wilson_low"] >= 0.6
    assert len({signature(spec).canonical for spec in specs}) == len(specs)


def test_what_ships_is_text_and_small():
    files = [path for path in (configs_dir() / "libraries").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json"}
    assert sum(path.stat().st_size for path in files) < MOST_BYTES


def test_some_of_what_ships_climbs_again():
    settings: Any = OmegaConf.to_container(compose("propose", ["out=x", "ladder=quick"]).ladder)
    settings |= {name: {**settings[name], **few} for name, few in FEW.items()}
    specs = [spec for name in GENERATED for spec in load_library(name)]
    folders = [name for name in GENERATED for _ in task_paths(name)]
    for number in np.random.default_rng(0).permutation(len(specs))[:SAMPLE]:
        spec, record = specs[number], load_evidence(folders[number], specs[number])
        proved = {
            "studio": studio(record["embodiment"], max_steps=150),
            "first_seed": record["facts"][SOLVING]["first_seed"],
        }
        found = climb(spec.model_dump_json(), settings=settings, **proved)
        assert (found.rung, found.task) == (PASSED, spec.hash), found.reason


def test_a_folder_goes_before_a_name_and_a_name_before_a_refusal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert library_path("seeds") == configs_dir() / "task"
    folder = task_folder(tmp_path / "seeds", "reach")
    assert library_path("seeds").resolve() == folder and len(load_library("seeds")) == 1
    with pytest.raises(ValueError, match=r"no folder of tasks nowhere; libraries that ship are \['seeds'"):
        task_paths("nowhere")


def test_a_task_that_lies_in_two_files_or_two_folders_is_one_task(tmp_path):
    """Played twice it would count twice, and an interval would be too narrow."""
    one, two = task_folder(tmp_path / "one", "reach", "open_drawer"), task_folder(tmp_path / "two", "reach")
    save_task(one, task("reach"))
    assert [spec.name for spec in load_library(one)].count("reach") == 1 and len(load_library(one)) == 2
    assert [spec.name for spec in load_libraries([str(two), str(one)])] == ["reach", "open_drawer"]


def test_a_library_ships_without_pictures_and_without_what_was_condemned(tmp_path):
    source, out = task_folder(tmp_path / "made", "reach", "open_drawer"), tmp_path / "out"
    with pytest.raises(ValueError, match="no ladder has judged"):
        tasks("ship", f"library={source}", f"out={out}")
    for name in ("reach", "open_drawer"):
        save_evidence(source, task(name), {"rung": PASSED, "facts": {}, "embodiment": "panda"})
        (source / task(name).hash / "thumbnail.png").touch()
    tasks("ship", f"library={source}", f"out={out}")
    assert [spec.hash for spec in load_library(out)] == sorted(spec.hash for spec in load_library(source))
    assert load_evidence(out, task("reach"))["rung"] == PASSED and not list(out.rglob("*.png"))
    with pytest.raises(ValueError, match="holds a library already"):
        tasks("ship", f"library={source}", f"out={out}")
    tasks("ship", f"library={source}", f"out={out}", "overwrite=true", f"without=['{task('reach').hash[:9]}']")
    assert [spec.name for spec in load_library(out)] == ["open_drawer"]
    assert json.loads((out / MADE).read_text()) == {"left_out": [task("reach").hash]}
    with pytest.raises(ValueError, match="no task in .* begins with 'zz'"):
        tasks("ship", f"library={source}", f"out={out}", "without=[zz]")
