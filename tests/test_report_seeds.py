"""Laws of several trainings on a transfer run's page: they change no main table, and have one of their own."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from fake_transfer import fake_transfer, rollout, spoil
from rich.console import Console
from test_report_transfer import RULES, SHARED, drawn, stages

from lapa.config import compose
from lapa.report import main
from lapa.report_seed_tables import rivals_of_seeds, seed_rows, seeds_markdown, seeds_terminal
from lapa.report_settings import repeated, rollouts, settings
from lapa.report_success import ONE_TRAINING
from lapa.report_transfer import FIRST, MOVED, transfer
from lapa.stats_bootstrap import GapShare
from lapa.stats_seeds import welch

MORE = {
    "seed_{}/rollout_scratch": (0.12, 0.3),
    "in_domain/seed_{}/rollout_lapa": (0.6, 0.63),
    "in_domain/seed_{}/rollout_vpt": (0.5, 0.48),
    "in_domain/seed_{}/rollout_actionvla": (0.7, 0.77),
    "human/seed_{}/rollout_lapa": (0.5, 0.42),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """Two settings; three trainings of four arms, one of the others."""
    folder = tmp_path_factory.mktemp("runs") / "transfer"
    fake_transfer(folder, settings=("", "in_domain", "human"), per_task=4, more=False, films=0)
    rng = np.random.default_rng(3)
    ease = rng.normal(size=144)
    for name, rates in MORE.items():
        for number, rate in enumerate(rates, start=1):
            rollout(folder / name.format(number), rng, ease, rate)
    return folder


@pytest.fixture(scope="module")
def told(run):
    return transfer(stages(run), RULES)


def test_the_main_table_is_of_the_first_trainings(run, told):
    read = stages(run)
    assert [block.name for block in settings(rollouts(read), shared=SHARED, demos={})] == ["in_domain", "human"]
    first = [stage for stage in read if "seed_" not in stage.name]
    assert transfer(first, RULES).settings == told.settings and transfer(first, RULES).seeds == []
    assert {place: len(found) for place, found in repeated(read).items()} == {
        ("", "scratch"): 2, ("in_domain", "lapa"): 2, ("in_domain", "vpt"): 2, ("in_domain", "actionvla"): 2,
        ("human", "lapa"): 2,
    }  # fmt: skip


def test_means_and_shares_are_over_all_of_an_arms_trainings(told):
    row = {row.arm: row for row in told.seeds[0].rows}
    assert row["lapa"].rates == pytest.approx([0.66, 0.6, 0.63], abs=0.008)
    mean = {arm: np.mean(row[arm].rates) for arm in ("lapa", *SHARED)}
    gap = mean["actionvla"] - mean["scratch"]
    assert row["lapa"].share.share == pytest.approx((mean["lapa"] - mean["scratch"]) / gap)
    assert row["lapa"].share.interval.low < row["lapa"].share.share < row["lapa"].share.interval.high
    assert row["scratch"].share is None and row["actionvla"].share is None
    assert len(row["unipi"].rates) == 1 and row["unipi"].interval is None and row["unipi"].against is None


def test_tests_are_over_trainings_with_holm_over_the_tables(told):
    tested = [row for table in told.seeds for row in table.rows if row.against]
    assert [row.arm for row in tested] == ["vpt", "lapa", "actionvla", "lapa"]
    control = told.seeds[0].row("scratch").rates
    assert all(row.against == welch(row.rates, control) for row in tested)
    least = min(tested, key=lambda row: row.against.p_value)
    assert least.p_holm == pytest.approx(min(1.0, 4 * least.against.p_value))
    ((rival, found, p_holm),) = told.seeds[0].rivals
    assert rival == "vpt" and p_holm == found.p_value  # a family of one
    assert found == welch(told.seeds[0].row("lapa").rates, told.seeds[0].row("vpt").rates)


def test_borrowed_arms_bring_their_trainings_and_no_test(told):
    human = told.seeds[1]
    assert human.row("scratch").rates == told.seeds[0].row("scratch").rates
    assert human.row("actionvla").borrowed and human.row("actionvla").against is None
    assert human.row("lapa").share.share is not None


def test_starts_that_differ_close_no_gap(run, tmp_path):
    moved = Path(shutil.copytree(run, tmp_path / "transfer"))
    spoil(moved / "in_domain" / "seed_2" / "rollout_lapa" / "episodes.jsonl", state_hash="elsewhere")
    told = transfer(stages(moved), RULES)
    assert told.seeds[0].row("lapa").rates == pytest.approx([0.66, 0.6], abs=0.008), (
        "the third is no training of this table"
    )
    assert told.seeds[0].left_out == ["in_domain/seed_2/rollout_lapa"]
    assert f"{MOVED} in_domain/seed_2/rollout_lapa." in told.success.cautions
    for place in (moved / "in_domain", moved / "in_domain" / "seed_1", moved / "in_domain" / "seed_2"):
        spoil(place / "rollout_lapa" / "episodes.jsonl", state_hash="elsewhere")
    row = transfer(stages(moved), RULES).seeds[0].row("lapa")
    assert len(row.rates) == 3 and row.against is None and row.share is None
    assert transfer(stages(moved), RULES).seeds[0].rivals == []


def test_several_trainings_of_an_ablation_are_a_table_of_their_own(run, tmp_path):
    more = Path(shutil.copytree(run, tmp_path / "transfer"))
    rng = np.random.default_rng(4)
    ease = rng.normal(size=144)
    for number, rate in enumerate((0.5, 0.1, 0.3)):
        place = more / "ablations" / "gap_s" / "0.3" / (f"seed_{number}" if number else "")
        rollout(place / "rollout_lapa", rng, ease, rate)
    rollout(
        more / "ablations" / "gap_s" / "0.8" / "rollout_lapa", rng, ease, 0.4
    )  # once: the control's trainings are not its
    told = transfer(stages(more), RULES)
    assert len(told.seeds) == 3
    assert [block.name for block in told.settings] == ["in_domain", "human"]
    table = told.seeds[-1]
    assert table.title == "ablations/gap s/0.3" and len(table.row("lapa").rates) == 3 and table.row("scratch").borrowed
    assert table.row("lapa").share is not None


@pytest.mark.parametrize(("quantity", "own"), [("width", ["scratch"]), ("videos_percent", [])])
def test_an_ablation_borrows_no_ceiling_that_it_would_have_changed(run, quantity, own):
    read = stages(run)
    place = f"ablations/{quantity}/64"
    names = {"in_domain/rollout_lapa": "rollout_lapa", "in_domain/seed_1/rollout_lapa": "seed_1/rollout_lapa"}
    names |= {f"rollout_{arm}": f"rollout_{arm}" for arm in own}
    more = [stage._replace(name=f"{place}/{names[stage.name]}") for stage in read if stage.name in names]
    table = transfer([*read, *more], RULES).seeds[-1]
    assert table.name == place and [row.arm for row in table.rows] == ["scratch", "lapa"]
    assert table.row("lapa").share is None


def test_one_training_is_said_of_no_setting_that_has_several(run):
    read = stages(run)
    control = next(stage for stage in read if stage.name == "rollout_scratch")
    elsewhere = [row | {"state_hash": "elsewhere"} for row in control.episodes]
    alone = control._replace(name="another/rollout_scratch", episodes=elsewhere)  # met by no other arm: no comparison
    told = transfer([*read, alone], RULES).success.cautions
    assert f"In domain, Human video only: {FIRST}" in told and ONE_TRAINING not in " ".join(told)


def test_tasks_are_drawn_where_the_main_table_draws_them(run):
    told = [
        transfer(stages(run), RULES._replace(bootstrap={**RULES.bootstrap, "draw_tasks": drawn}))
        for drawn in (False, True)
    ]
    these, such = (np.ptp(one.seeds[0].row("lapa").share.interval) for one in told)
    assert such > these


def test_page_and_tables_hold_every_training(run, told):
    page = drawn(stages(run))
    assert '<section id="seeds">' in page and '<a href="#seeds">' in page
    assert "By the means of several trainings: in domain <strong>" in page
    assert told.success.cautions == [FIRST]
    assert page.count("seed_1/") == len(MORE), "further trainings are named in what ran alone"
    dots = page.split('id="seeds"')[1].split("</section>")[0].count("<b style=")
    assert dots == sum(len(row.rates) for table in told.seeds for row in table.rows)
    text = "\n".join(seeds_markdown(told.seeds)).replace("\u00a0", " ")
    assert "| In domain | scratch* | 22, 12, 30 | 22 % [" in text
    assert "- In domain: lapa minus vpt +13 [" in text and rivals_of_seeds(told.seeds[1]) == ""
    table = told.seeds[0]
    unsure = table._replace(
        rows=[table.row("lapa")._replace(share=GapShare(13.33, None, "the gap itself is not shown"))]
    )
    assert "1333" not in "".join(seeds_markdown([unsure])) and "| no gap shown |" in "".join(seeds_markdown([unsure]))
    flat = json.loads(json.dumps(seed_rows(told.seeds), allow_nan=False))
    assert len(flat) == sum(len(table.rows) for table in told.seeds)
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(seeds_terminal(told.seeds))
    assert "…" not in console.export_text() and seeds_markdown([]) == []


def test_the_door_writes_them(run, tmp_path, capsys):
    settled = [f"runs=[{run}]", f"out={tmp_path / 'report'}", "bootstrap.resamples=200"]
    main(compose("report", settled))
    assert "scratch*" in capsys.readouterr().out
    assert {row["setting"] for row in json.loads((tmp_path / "report" / "trainings.json").read_text())} == {
        "in_domain", "human",
    }  # fmt: skip
