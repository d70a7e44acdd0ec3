"""Laws of lapa.report_settings: which rollout is which arm's where, and what a setting may show of another."""

import shutil
from pathlib import Path

import pytest
from fake_run import fake_run
from fake_transfer import fake_transfer
from test_report_transfer import ARMS, CHOSEN, RULES, SHARED, again, arm_of, drawn, stages

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
    shutil.copytree(folder / "rollout_lapa", folder / "long" / "rollout_lapa")
    assert not is_transfer(stages(folder))


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


def test_nothing_is_borrowed_that_learnt_from_other_demonstrations(read):
    """human's policies learnt from `demos`, those of cross_environment from demonstrations of its own, which the report has."""
    own = next(stage for stage in read if stage.name == "demos")._replace(name="cross_environment/demos")
    policy = next(stage for stage in read if stage.name == "human/policy_lapa")
    learnt = {"human": "demos", "": "demos", "in_domain": "demos", "cross_environment": own.name}
    policies = [
        policy._replace(name=f"{place}/policy_x".lstrip("/"), sources=[demos]) for place, demos in learnt.items()
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


def test_settings_of_which_nothing_is_finished_are_an_empty_table(run):
    for path in run.rglob("rollout_*/manifest.json"):
        path.unlink()
    read = stages(run)
    assert is_transfer(read) and "Nothing to compare yet" in drawn(read)
