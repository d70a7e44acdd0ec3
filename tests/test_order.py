"""lapa.order: which step reads what which other step makes, for every setting of the experiment by itself."""

import re
from functools import cache

import pytest
import yaml

from lapa.config import compose
from lapa.doors import configs_dir
from lapa.order import check_order, needs
from lapa.settings import steps_of

STEPS = {
    "tasks": {"door": "propose", "with": []},
    "tasks_unseen": {"door": "propose", "with": []},
    "a/clips": {"door": "build", "with": ["tasks=runs/x/tasks"]},
    "a/codes": {"door": "label", "with": ["clips=runs/x/a/clips", "tasks=[runs/x/tasks_unseen]"]},
    "report": {"door": "report", "with": ["runs=[runs/x]"]},
}


def test_a_step_needs_those_whose_folders_it_names():
    assert needs(STEPS, "runs/x") == {
        "tasks": set(), "tasks_unseen": set(), "a/clips": {"tasks"}, "a/codes": {"a/clips", "tasks_unseen"},
        "report": {"tasks", "tasks_unseen", "a/clips", "a/codes"},
    }  # fmt: skip


@pytest.mark.parametrize("out", ["runs/x/", "runs/./x", "runs//x/.", "./runs/x"])
def test_however_the_folder_is_written(out):
    steps = {"tasks": {"door": "propose", "with": []}, "clips": {"door": "build", "with": [f"tasks={out}/tasks"]}}
    assert needs(steps, out) == {"tasks": set(), "clips": {"tasks"}}
    check_order(steps, out)
    with pytest.raises(ValueError, match="step clips reads runs/x/tasks: step tasks makes it later"):
        check_order(dict(reversed(steps.items())), out)


@cache
def recipe_of(name):
    return compose("run", [f"recipe={name}", "out=runs/x", "videos=/videos"]).recipe


def settings_of(name):
    return yaml.safe_load((configs_dir() / "recipe" / f"{name}.yaml").read_text())["all"]


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        *((name, one) for name in ("transfer", "ablation") for one in settings_of(name)),
        *((name, "all") for name in ("transfer", "ablation", "demo_long", "demo_videos")),
        ("transfer", ("cross_task", "in_domain")),
    ],
)  # fmt: skip
def test_what_every_step_of_the_experiment_reads_is_waited_for(name, setting):
    """Every folder of the run that an override names is a step that comes before."""
    steps = steps_of(recipe_of(name), setting=setting, arms=None)
    check_order(steps, "runs/x")
    needed = needs(steps, "runs/x")
    for one, step in steps.items():
        folders = {folder for override in step["with"] for folder in re.findall(r"runs/x/([\w./]+)", override)}
        assert step["door"] == "report" or folders == needed[one], one


def test_the_basis_of_cross_task_is_what_in_domain_has():
    alone, both = (
        steps_of(recipe_of("transfer"), setting=some, arms=["unipi"]) for some in (["cross_task"], ["in_domain"])
    )
    assert alone["demos"] == both["demos"] and alone["cross_task/demos"] != alone["demos"]
    assert alone["in_domain/video_plan"] == both["in_domain/video_plan"]


def reads(*names):
    return {"first": {"door": "build", "with": []}, "a/b": {"door": "train", "with": [f"x={name}" for name in names]}}


def test_what_is_read_is_made_before_or_there(tmp_path):
    (tmp_path / "there").mkdir()
    out = str(tmp_path)
    for name in ("first", "first/inside", "there", "a/b/own"):
        check_order(reads(f"{out}/{name}", f"[{out}/first,{out}/there]", f"{{b: '{out}/{name}'}}", "else/where"), out)
    for name in ("firs", "first_one", "there/not", "a/c", "my own"):
        for text in (f"{out}/{name}", f"[{out}/first,{out}/{name}]", f"{{b: {{c: '{out}/{name}', d: 1}}}}"):
            with pytest.raises(ValueError, match=f"step a/b reads {out}/{name}: no chosen step makes it"):
                check_order(reads(text), out)


def test_what_is_made_later_is_not_read_where_it_lies_from_before(tmp_path):
    (tmp_path / "last").mkdir()
    steps = {**reads(f"{tmp_path}/last"), "last": {"door": "collect", "with": []}}
    with pytest.raises(ValueError, match=f"step a/b reads {tmp_path}/last: step last makes it later"):
        check_order(steps, str(tmp_path))
