"""Laws of the report: the sentence is true, pairs are pairs, bad folders are named, the page stands alone and plays."""

import json
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from fake_run import RULES, fake_run, rollout
from rich.console import Console

from lapa.config import compose
from lapa.report import main, show
from lapa.report_data import data_counts, funnels
from lapa.report_gather import gather
from lapa.report_numbers import duration, p_text, points
from lapa.report_page import render
from lapa.report_parts import curve_groups, video_rows
from lapa.report_success import MEASURES, Success, arm_name, compare

SHOWN = {"transfer": None, "title": "a run", "measure": "success_held", "max_videos": 4}
NOWHERE = Path("nowhere")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A whole recipe's folder, only to be read."""
    return fake_run(tmp_path_factory.mktemp("runs") / "demo")


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(made, tmp_path / "demo"))


@pytest.fixture(scope="module")
def page(made: Path) -> str:
    return render(gather([made], skip=NOWHERE), succeeded(made), **SHOWN)


def succeeded(folder: Path, **changed) -> Success:
    return compare(gather([folder], skip=NOWHERE), **{**RULES, **changed})


def spoil_rows(path: Path, change) -> None:
    rows = [change(number, json.loads(line)) for number, line in enumerate(path.read_text().splitlines())]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


# What is read


def test_sources_come_before_their_readers(made):
    stages = {stage.name: stage for stage in gather([made], skip=NOWHERE)}
    names = list(stages)
    assert stages["rollout_lapa"].sources == ["policy_lapa", "tasks"]
    assert all(names.index(source) < names.index(name) for name in names for source in stages[name].sources)


def test_a_stage_folder_may_be_named_itself(made):
    runs = [made / "rollout_lapa", made / "rollout_scratch"]
    assert [stage.name for stage in gather(runs, skip=NOWHERE)] == ["rollout_lapa", "rollout_scratch"]


def test_the_reports_own_folder_is_no_stage(made):
    assert "clips" not in [stage.name for stage in gather([made], skip=made / "clips")]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda run: [run / "nothing_here"], "no folder .*nothing_here"),
        (lambda run: [], "runs is empty"),
        (lambda run: [run / "clips", run / "clips"], "two stages are called 'clips'"),
        (lambda run: (run / "tasks" / "manifest.json").write_text('{"record": "Ta') and [run], "not whole JSON"),
        (lambda run: (run / "codes" / "quality.json").write_text("") or [run], "quality.json is not whole JSON"),
        (lambda run: (run / "rollout_lapa" / "episodes.jsonl").write_text('{"task": \n') and [run], "line 1 is not"),
        (
            lambda run: (run / "latent_policy/logs/0/metrics.csv").write_text("step,a\nx,2\n") and [run],
            "latent.*table of num",
        ),
    ],
)
def test_a_bad_folder_or_file_is_named(run, spoil, message):
    with pytest.raises(ValueError, match=message):
        gather(spoil(run), skip=NOWHERE)


def test_a_folder_without_a_stage_is_named(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(ValueError, match="holds no stage"):
        gather([tmp_path], skip=NOWHERE)


# What is said


def test_the_sentence_is_the_table(made):
    success = succeeded(made)
    assert success.verdict == "helps"
    text = success.headline.replace("\u00a0", " ")
    assert text == "Watching helps: lapa 62 % vs scratch 33 % on the same 100 seeds, McNemar p < 0.0001."
    assert success.overall.against("lapa").table.pairs == 100
    assert sum(group.rows[0].episodes for group in success.families) == 100


@pytest.mark.parametrize(("lapa", "scratch", "verdict"), [(0.3, 0.6, "hurts"), (0.5, 0.49, "open")])
def test_the_sentence_says_when_watching_does_not_help(tmp_path, lapa, scratch, verdict):
    assert succeeded(fake_run(tmp_path / "demo", lapa=lapa, scratch=scratch)).verdict == verdict


def test_without_a_control_nothing_is_claimed(run):
    shutil.rmtree(run / "rollout_scratch")
    success = succeeded(run)
    assert success.verdict == "none"
    assert success.headline.startswith("Nothing to compare, no scratch: lapa 62")


def test_without_rollouts_the_page_still_stands(run):
    for name in ("rollout_lapa", "rollout_scratch", "codes"):
        shutil.rmtree(run / name)
    assert "No evaluation in this run yet." in render(gather([run], skip=NOWHERE), succeeded(run), **SHOWN)


def test_an_unfinished_rollout_does_not_count(run):
    (run / "rollout_scratch" / "manifest.json").unlink()
    with open(run / "rollout_scratch" / "episodes.jsonl", "a") as file:
        file.write('{"task": "rea')  # killed while writing
    success = succeeded(run)
    assert success.verdict == "none"
    assert success.cautions[0] == "Unfinished, so not counted in any result: rollout_scratch."


def test_a_rollout_of_a_policy_that_is_no_more_is_named(run):
    line = "Made before its policy was trained anew; run its command again: rollout_lapa."
    assert line not in succeeded(run).cautions
    manifest = run / "policy_lapa" / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"count": 1501}))
    assert line in succeeded(run).cautions


def test_pairs_that_began_differently_are_no_pairs(run):
    def move(number, row):
        return row | {"state_hash": "another"} if number < 7 else row

    spoil_rows(run / "rollout_scratch" / "episodes.jsonl", move)
    success = succeeded(run)
    assert success.overall.against("lapa").table.pairs == 93
    assert any("7 of 100 pairs" in caution for caution in success.cautions)
    assert any("Only 93 paired seeds" in caution for caution in success.cautions)


def test_the_same_policy_in_both_arms_is_pointed_out(run):
    for arm in ("lapa", "scratch"):
        spoil_rows(run / f"rollout_{arm}" / "episodes.jsonl", lambda _, row: row | {"policy_hash": "one"})
    assert any("ran the same policy" in caution for caution in succeeded(run).cautions)


def test_two_rollouts_of_one_arm_are_refused(run):
    shutil.copytree(run / "rollout_lapa", run / "again" / "rollout_lapa")
    with pytest.raises(ValueError, match="another rollout of 'lapa'"):
        succeeded(run)


def test_a_start_counted_twice_is_refused(run):
    path = run / "rollout_lapa" / "episodes.jsonl"
    path.write_text(path.read_text() + path.read_text().splitlines()[0] + "\n")
    with pytest.raises(ValueError, match="is there twice"):
        succeeded(run)


def test_a_row_without_its_measures_is_refused(run):
    spoil_rows(run / "rollout_lapa" / "episodes.jsonl", lambda _, row: {"task": row["task"], "seed": row["seed"]})
    with pytest.raises(ValueError, match="lacks family, success_once"):
        succeeded(run)


def test_an_unknown_measure_names_the_choices(made):
    with pytest.raises(ValueError, match=f"no success measure 'luck'.*{MEASURES[0]}"):
        succeeded(made, measure="luck")


def test_a_third_arm_is_compared_with_the_control_too(run):
    rng = np.random.default_rng(1)
    rollout(run / "rollout_robot_video", ["tasks"], rng, rng.normal(size=100), 0.5)
    overall = succeeded(run).overall
    assert [row.arm for row in overall.rows] == ["lapa", "robot_video", "scratch"]
    assert [found.arm for found in overall.comparisons] == ["lapa", "robot_video"]


@pytest.mark.parametrize("name", ["rollout_lapa", "rollout-lapa", "rollout/lapa", "lapa", "long/rollout_lapa"])
def test_arm_is_called_after_its_folder(name, made):
    assert arm_name(gather([made], skip=NOWHERE)[0]._replace(name=name)) == "lapa"


def test_the_funnel_loses_what_the_next_rung_does_not_see(made):
    rungs = funnels(gather([made], skip=NOWHERE))[0].rungs
    assert (rungs[0].entered, rungs[-1].passed) == (40, 24)
    assert all(rung.passed == following.entered for rung, following in pairwise(rungs))
    assert all(rung.passed <= rung.entered for rung in rungs)


def test_the_accepted_tasks_are_shown_when_there_is_a_sheet_of_them(run):
    assert funnels(gather([run], skip=NOWHERE))[0].sheet == ""
    shutil.copy(next(run.rglob("strips.png")), run / "tasks" / "contact_sheet.png")
    stages = gather([run], skip=NOWHERE)
    assert funnels(stages)[0].sheet.startswith("data:image/png;base64,")
    assert "Every accepted task" in render(stages, succeeded(run), **SHOWN)


def test_a_broken_funnel_is_named(run):
    (run / "tasks" / "funnel.json").write_text('["R0", "R1"]')
    with pytest.raises(ValueError, match=r"funnel\.json: wants"):
        funnels(gather([run], skip=NOWHERE))


def test_dropped_clips_are_shown_with_their_reason(made):
    counts = {found.stage: found.rows for found in data_counts(gather([made], skip=NOWHERE))}
    assert ("dropped: no motion", 31) in counts["clips"]


def test_arms_share_panels_and_keep_their_colours(made):
    groups = curve_groups(gather([made], skip=NOWHERE), {"lapa": 0, "scratch": 1})
    assert len(groups) == 3  # quantizer, latent, and the two action policies together
    assert {"policy_lapa": 0, "policy_scratch": 1} in [dict(group.stages) for group in groups]


def test_videos_are_chosen_by_start_and_shown_in_arms_order(made):
    rows = video_rows(gather([made], skip=NOWHERE), {"lapa": 0, "scratch": 1}, "success_held", 3)
    assert [(row.task, row.seed) for row in rows] == sorted((row.task, row.seed) for row in rows)
    assert [[film.arm for film in row.films] for row in rows] == [["lapa", "scratch"]] * 3


def test_numbers_read_well():
    assert (points(0.31), points(-0.04), points(0.0)) == ("+31", "−4", "+0")
    spoken = [duration(seconds).replace("\u00a0", " ") for seconds in (5.25, 125, 3725)]
    assert spoken == ["5.2 s", "2 min 5 s", "1 h 2 min"]
    assert p_text(0.04321) == "p\u00a0=\u00a00.043" and "0.0001" in p_text(1e-9)


# The page


def test_the_page_stands_alone(page):
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert "url(http" not in page and "@import" not in page and '<link rel="stylesheet' not in page
    assert page.count("<video") == 8


def test_the_page_is_the_same_for_the_same_stages(made, page):
    assert page == render(gather([made], skip=NOWHERE), succeeded(made), **SHOWN)


def test_names_from_outside_are_text_on_the_page(run):
    for arm in ("lapa", "scratch"):
        spoil_rows(run / f"rollout_{arm}" / "episodes.jsonl", lambda _, row: row | {"family": "<script>x</script>"})
    text = render(gather([run], skip=NOWHERE), succeeded(run, measure="success_once"), **SHOWN)
    assert "<script>x" not in text


def test_the_terminal_shows_the_same_table(made):
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    show(succeeded(made), None, [], console)
    text = console.export_text()
    assert "62/100" in text and "33/100" in text and "<0.0001" in text and "…" not in text


def test_the_door_writes_once_and_again_when_something_changed(run, capsys):
    overrides = [f"runs=[{run}]", f"out={run / 'report'}"]
    main(compose("report", overrides))
    first = (run / "report" / "page.html").read_text()
    assert "Watching helps" in capsys.readouterr().out
    main(compose("report", overrides))
    assert "unchanged" in capsys.readouterr().out
    (run / "rollout_scratch" / "manifest.json").unlink()
    main(compose("report", overrides))
    assert (run / "report" / "page.html").read_text() != first


def test_a_page_forgets_an_unfinished_stage_that_is_gone(run):
    out = run / "report"
    shutil.copytree(run / "codes", run / "codes_again")
    (run / "codes_again" / "manifest.json").unlink()
    main(compose("report", [f"runs=[{run}]", f"out={out}"]))
    assert "Unfinished, so not counted in any result: codes_again." in (out / "page.html").read_text()
    shutil.rmtree(run / "codes_again")
    main(compose("report", [f"runs=[{run}]", f"out={out}"]))
    assert "Unfinished, so not counted" not in (out / "page.html").read_text()


def test_reporting_needs_no_torch():
    code = "import sys, lapa.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
