"""Laws of lapa.report_settings: which rollout is which arm's where, and what a setting may show of another."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from fake_run import fake_run
from fake_transfer import fake_transfer, rollout
from test_report_transfer import ARMS, CHOSEN, RULES, SHARED, again, arm_of, drawn, stages

from lapa.config import compose
from lapa.report import main
from lapa.report_gather import Stage
from lapa.report_settings import cells, is_transfer, rollouts, settings, taught
from lapa.report_transfer import transfer


@pytest.fixture(scope="module")
def read(tmp_path_factory) -> list[Stage]:
    return stages(fake_transfer(tmp_path_factory.mktemp("runs") / "transfer", settings=CHOSEN, per_task=4))


@pytest.fixture
def run(read: list[Stage], tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    made = next(stage.folder for stage in read if stage.name == "tasks").parent
    return Path(shutil.copytree(made, tmp_path / "transfer"))


def test_folders_tell_settings_and_arms(read):
    blocks = settings(rollouts(read), shared=SHARED, demos={})
    assert [block.name for block in blocks] == ["in_domain", "cross_environment", "human"]
    assert list(blocks[0].arms) == list(ARMS)
    ours, both = {"scratch": ""}, {"scratch": "", "actionvla": "in_domain"}
    assert [block.borrowed for block in blocks] == [ours, ours, both]


def test_what_else_has_watched_nothing_is_shown_in_every_setting_and_is_a_rival(run):
    shutil.copytree(run / "rollout_scratch", run / "rollout_scratch_long")
    told = transfer(stages(run), RULES)
    assert all(table.result("scratch_long").borrowed == "" for table in told.settings)
    assert all("scratch_long" in {found.control for found, _ in table.rivals} for table in told.settings)
    assert [row.arm for row in (result.row for result in told.settings[0].results)][:3] == [
        "scratch",
        "scratch_long",
        "unipi",
    ]


def test_a_recipe_of_one_setting_is_no_transfer_run(tmp_path):
    folder = fake_run(tmp_path / "demo", episodes=8)
    assert not is_transfer(stages(folder))
    (folder / "my_videos").mkdir()
    (folder / "rollout_lapa").rename(folder / "my_videos" / "rollout_lapa")
    assert not is_transfer(stages(folder))


@pytest.mark.parametrize(
    ("places", "settings", "trainings"),
    [
        ((".", "mine", "others"), {"mine", "others"}, 1),
        ((".", "mine", "seed_1", "mine/seed_1"), {"mine"}, 2),
        ((".", "seed_1", "seed_2"), {""}, 3),
        (("ablations/tasks/1", "ablations/tasks/5"), {"ablations/tasks/1", "ablations/tasks/5"}, 1),
    ],
)
def test_a_run_without_a_setting_that_ships_has_a_page(tmp_path, places, settings, trainings):
    rng = np.random.default_rng(0)
    ease = rng.normal(size=72)
    for place in places:
        arms = {"mine": ["lapa"], "others": ["lapa"], "ablations": ["scratch", "lapa"]}
        for arm in arms.get(place.split("/")[0], ["scratch"]):
            rollout(tmp_path / "run" / place / f"rollout_{arm}", rng, ease, 0.4)
    out = tmp_path / "report"
    main(compose("report", [f"runs=[{tmp_path / 'run'}]", f"out={out}", "bootstrap.resamples=100"]))
    assert (out / "page.html").is_file()
    assert {row["setting"] for row in json.loads((out / "table.json").read_text())} == settings
    several = json.loads((out / "trainings.json").read_text()) if trainings > 1 else [{"rates": [0.4]}]
    assert {len(row["rates"]) for row in several} == {trainings}


def test_arms_in_the_runs_own_folder_that_settings_do_not_share_are_a_setting(read):
    more = [stage._replace(name=stage.name.removeprefix("human/")) for stage in read if stage.name.startswith("human/")]
    told = transfer([*read, *more], RULES)
    own = next(table for table in told.settings if table.name == "")
    assert own.title == "The run's own folder" and own.result("lapa").row == arm_of(told, "human", "lapa").row
    assert "The run&#39;s own folder" in drawn([*read, *more])


def test_an_unfinished_rollout_is_named_and_does_not_count(run):
    (run / "human" / "rollout_lapa" / "manifest.json").unlink()
    told = again(run)
    assert arm_of(told, "human", "lapa") is None
    assert told.success.cautions[0] == "Unfinished, so not counted in any result: human/rollout_lapa."


def test_a_cell_borrows_from_its_targets_own_cell(read):
    squares = cells(rollouts(read), shared=SHARED, demos={})
    assert squares["hand", "ur5e"].borrowed == dict.fromkeys(SHARED, "ur5e_to_ur5e")
    assert squares["hand", "panda"].name == "human"


def test_a_cell_of_another_robot_borrows_nothing_of_the_runs_own(read):
    alone = [stage for stage in read if "ur5e_to_ur5e" not in stage.name]
    block = cells(rollouts(alone), shared=SHARED, demos={})["hand", "ur5e"]
    assert block.borrowed == {} and list(block.arms) == ["lapa"]


@pytest.mark.parametrize(("demos_there", "percent"), [("cross_environment/demos", 100), ("demos", 10)])
def test_nothing_is_borrowed_that_learnt_from_other_demonstrations(read, demos_there, percent):
    """human's policies learnt from `demos`, those of cross_environment from its own, which the report has, or from fewer."""
    own = next(stage for stage in read if stage.name == "demos")._replace(name="cross_environment/demos")
    policy = next(stage for stage in read if stage.name == "human/policy_lapa")
    learnt = {"human": "demos", "": "demos", "in_domain": "demos", "cross_environment": demos_there}
    few = {"config": {"data": {"train_percent": percent}}}
    policies = [
        policy._replace(
            name=f"{place}/policy_x".lstrip("/"),
            sources=[demos],
            manifest=policy.fact | (few if place == "cross_environment" else {}),
        )
        for place, demos in learnt.items()
    ]
    linked = [
        stage._replace(sources=[f"{place}/policy_x".lstrip("/")])
        for stage in read
        if (place := stage.name.rpartition("/")[0]) in learnt and stage.episodes
    ]
    demos = taught([*(stage for stage in read if stage.name == "demos"), own, *policies, *linked])
    blocks = {block.name: block for block in settings(rollouts(linked), shared=SHARED, demos=demos)}
    assert blocks["human"].borrowed == {"scratch": "", "actionvla": "in_domain"}
    assert "scratch" not in blocks["cross_environment"].arms and blocks["cross_environment"].borrowed == {}


def test_a_run_of_cells_alone_has_them_in_its_table(read):
    only = [stage for stage in read if stage.name.split("/")[0] in ("hand_to_ur5e", "ur5e_to_ur5e")]
    told = transfer(only, RULES)
    assert [table.name for table in told.settings] == ["hand_to_ur5e", "ur5e_to_ur5e"]
    assert told.settings[0].result("lapa").share.share is not None


def test_a_setting_of_ones_own_whose_name_has_to_in_it_is_no_cell(read):
    own = [
        stage._replace(name=stage.name.replace("human/", "sim_to_real/")) for stage in read if "human/" in stage.name
    ]
    found = rollouts([*read, *own])
    lent = {"shared": SHARED, "demos": {}}
    assert [block.name for block in settings(found, **lent)] == [*CHOSEN[1:], "sim_to_real"]
    assert ("sim", "real") not in cells(found, **lent) and cells(found, **lent)["hand", "ur5e"].name == "hand_to_ur5e"


def test_settings_of_which_nothing_is_finished_are_an_empty_table(run):
    for path in run.rglob("rollout_*/manifest.json"):
        path.unlink()
    read = stages(run)
    assert is_transfer(read) and "Nothing to compare yet" in drawn(read)
