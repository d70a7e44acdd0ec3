"""Laws of a transfer run's page: pairs are pairs, shares and tests are the stats', and every part stands on the page."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from fake_run import RULES as PLAIN
from fake_run import fake_run
from fake_transfer import FAMILIES, MAIN_VALUES, RATES, fake_transfer, rollout, spoil
from rich.console import Console

from lapa.config import compose
from lapa.report import main
from lapa.report_failures import CAUSES, failures
from lapa.report_gather import Stage, gather
from lapa.report_matrix import matrix
from lapa.report_numbers import points, signed
from lapa.report_page import render
from lapa.report_published import PUBLISHED
from lapa.report_settings import ARMS as KNOWN
from lapa.report_settings import rollouts, settings
from lapa.report_success import compare
from lapa.report_tables import markdown, rows, terminal_table
from lapa.report_transfer import Result, Rules, Transfer, single, transfer
from lapa.report_transfer_page import transfer_part

SHARED = ("scratch", "actionvla")
RULES = Rules(
    arm="lapa", control="scratch", ceiling="actionvla", beside=["scratch_long"], claim="Watching",
    measure="success_held", alpha=0.05, min_pairs=100,
    bootstrap={"draw_tasks": False, "resamples": 300, "seed": 0},
)  # fmt: skip
ARMS = tuple(arm for arm in KNOWN if not arm.startswith(("rehearsed", "scratch_")))  # those of every setting
NOWHERE = Path("nowhere")
CHOSEN = ("", "in_domain", "cross_environment", "human")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A run of three settings with ablations and a matrix, only to be read."""
    return fake_transfer(tmp_path_factory.mktemp("runs") / "transfer", settings=CHOSEN, per_task=4)


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(made, tmp_path / "transfer"))


@pytest.fixture(scope="module")
def read(made: Path) -> list[Stage]:
    return stages(made)


@pytest.fixture(scope="module")
def told(read: list[Stage]) -> Transfer:
    return transfer(read, RULES)


def stages(folder: Path) -> list[Stage]:
    return gather([folder], skip=NOWHERE)


def arm_of(told: Transfer, setting: str, arm: str) -> Result | None:
    return next(table for table in told.settings if table.name == setting).result(arm)


def again(folder: Path) -> Transfer:
    return transfer(stages(folder), RULES)


# What is said of them


def test_rates_shares_and_tests_fit_together(told):
    table = told.settings[0]
    rate = {result.row.arm: result.row.rate for result in table.results}
    assert rate == pytest.approx(RATES["in_domain"] | RATES[""], abs=0.008)
    lapa = table.result("lapa")
    assert lapa.share.share == pytest.approx((rate["lapa"] - rate["scratch"]) / (rate["actionvla"] - rate["scratch"]))
    assert lapa.share.interval.low < lapa.share.share < lapa.share.interval.high
    assert lapa.comparison.table.pairs == 144
    assert table.result("scratch").share is None and table.result("actionvla").share is None


def test_holm_corrects_the_whole_table_and_leaves_out_what_is_borrowed(told):
    results = [result for table in told.settings for result in table.results]
    tested = [result for result in results if result.p_holm is not None]
    assert len(tested) == sum(len(RATES[name]) for name in CHOSEN if name)
    assert all(result.p_holm >= result.comparison.p_value for result in tested)
    least = min(tested, key=lambda result: result.comparison.p_value)
    assert least.p_holm == pytest.approx(min(1.0, len(tested) * least.comparison.p_value))
    assert all(result.comparison is None for result in results if result.borrowed is not None)


def test_the_arm_is_held_against_its_rivals_too(told):
    table = told.settings[0]
    assert [found.control for found, _ in table.rivals] == ["unipi", "vpt", "shuffled"]
    rate = {result.row.arm: result.row.rate for result in table.results}
    assert all(found.difference == pytest.approx(rate["lapa"] - rate[found.control]) for found, _ in table.rivals)
    assert all(p_holm >= found.p_value for found, p_holm in table.rivals)


def test_who_rehearses_is_no_rival_of_who_does_not(read, told):
    twins = [
        stage._replace(name=stage.name.replace("_vpt", "_rehearsed")) for stage in read if "rollout_vpt" in stage.name
    ]
    assert transfer([*read, *twins], RULES).settings[0].rivals == told.settings[0].rivals
    rivals = transfer([*read, *twins], RULES._replace(arm="rehearsed")).settings[0].rivals
    assert {found.control for found, _ in rivals} == {"unipi", "vpt", "lapa", "shuffled"}


def test_starts_that_differ_are_no_pairs_and_close_no_gap(run):
    spoil(run / "human" / "rollout_lapa" / "episodes.jsonl", state_hash="elsewhere")
    result = arm_of(again(run), "human", "lapa")
    assert result.comparison is None and result.share is None and result.row.episodes == 144


def test_demonstrated_tasks_are_seen(told, run):
    result = arm_of(told, "in_domain", "lapa")
    assert result.seen.episodes == result.unseen.episodes == 72
    assert result.seen.successes + result.unseen.successes == result.row.successes
    assert result.seen.rate > result.unseen.rate  # made so
    spoil(run / "in_domain" / "rollout_lapa" / "episodes.jsonl", task_hash="0" * 16)
    moved = arm_of(again(run), "in_domain", "lapa")
    assert (moved.seen.episodes, moved.unseen) == (144, None)
    shutil.rmtree(run / "demos")
    assert arm_of(again(run), "in_domain", "vpt").seen is None


@pytest.mark.parametrize(
    ("rates", "verdict", "words"),
    [
        ({"multi": 0.05}, "hurts", "Watching hurts in 1 setting"),
        ({"multi": 0.23}, "open", "No difference shown in any setting"),
        ({"multi": 0.5}, "helps", "Watching helps in 1 setting"),
        ({"multi": 0.5, "human": 0.03, "cross_task": 0.03}, "open", "Watching helps in 1 and hurts in 2 of 3 settings"),
    ],
)
def test_the_first_sentence_says_what_the_table_says(tmp_path, rates, verdict, words):
    fake_transfer(tmp_path, settings=("",), per_task=4, more=False, films=0)
    rng = np.random.default_rng(1)
    ease = rng.normal(size=144)
    for setting, rate in rates.items():
        for arm, own in {"lapa": rate, "actionvla": 0.7}.items():
            rollout(tmp_path / setting / f"rollout_{arm}", rng, ease, own)
    success = again(tmp_path).success
    assert success.verdict == verdict and success.headline.startswith(f"{words}: lapa closes")


@pytest.mark.parametrize(("rate", "above"), [(0.25, 1), (0.5, 0)])
def test_the_first_sentence_says_whether_it_was_a_matter_of_steps(tmp_path, rate, above):
    fake_transfer(tmp_path, settings=("",), per_task=4, more=False, films=0)
    rng = np.random.default_rng(1)
    ease = rng.normal(size=144)
    for place, own in {"multi/rollout_lapa": 0.5, "multi/rollout_actionvla": 0.7, "rollout_scratch_long": rate}.items():
        rollout(tmp_path / place, rng, ease, own)
    assert again(tmp_path).success.headline.endswith(
        f"Above scratch_long, which has watched nothing either, in {above} of 1."
    )


def test_a_gap_that_is_not_shown_is_no_headline(tmp_path):
    fake_transfer(tmp_path, settings=("",), per_task=4, more=False, films=0)
    rng = np.random.default_rng(1)
    ease = rng.normal(size=144)
    for setting, ceiling in {"multi": 0.7, "human": 0.23}.items():
        for arm, own in {"lapa": 0.5, "actionvla": ceiling}.items():
            rollout(tmp_path / setting / f"rollout_{arm}", rng, ease, own)
    told = again(tmp_path)
    unsure = arm_of(told, "human", "lapa").share
    assert unsure.share is not None and unsure.interval is None
    closed = round(100 * arm_of(told, "multi", "lapa").share.share)
    assert f"lapa closes {closed}\u00a0% of the gap" in told.success.headline
    part = transfer_part(stages(tmp_path), told, RULES, None, 6)
    assert [title for title, _ in part.shares] == ["Multi-embodiment"]
    assert "| no gap shown |" in markdown(told) and signed(unsure.share) not in markdown(told)
    human = next(table for table in told.settings if table.name == "human")
    ((_, (square, _)),) = matrix(
        dict.fromkeys([("hand", "panda"), ("hand", "ur5e")], human), arm="lapa", control="scratch"
    ).rows
    difference = human.result("lapa").comparison.difference
    assert (square.text, square.heat) == (points(difference), difference) and "gap itself is not shown" in square.title


def test_an_unknown_measure_is_refused(read):
    with pytest.raises(ValueError, match="no success measure 'luck'"):
        transfer(read, RULES._replace(measure="luck"))


def test_the_papers_shares_are_the_papers():
    shares = {name: round(100 * published.share("lapa")) for name, published in PUBLISHED.items()}
    assert shares == {"in_domain": 76, "cross_task": 92, "cross_environment": 37, "human": 61}
    assert PUBLISHED["human"].benchmark == "SIMPLER"


# Parts of the page


def test_the_heat_map_is_the_arms_share(told):
    squares = matrix(told.cells, arm="lapa", control="scratch")
    assert squares.targets == ["hand", "panda", "ur5e"]
    by_source = dict(squares.rows)
    assert by_source["hand"][1].heat == pytest.approx(arm_of(told, "human", "lapa").share.share)
    assert by_source["ur5e"][1] is None  # cross_embodiment was not run
    assert matrix({}, arm="lapa", control="scratch") is None


def test_failures_are_counted_by_cause_and_silent_without(read):
    blocks = settings(rollouts(read), shared=SHARED, demos={})
    told = failures(blocks, RULES.measure)
    assert set(told.causes) <= set(CAUSES.values())
    assert all(ending.episodes == 144 for part in told.settings for ending in part.endings)
    assert [ending.arm for ending in told.settings[0].endings] == list(ARMS)
    silent = [stage._replace(episodes=[row | {"failure": ""} for row in stage.episodes]) for stage in read]
    assert failures(settings(rollouts(silent), shared=SHARED, demos={}), RULES.measure) is None


# The page and the tables


def drawn(read: list[Stage]) -> str:
    told = transfer(read, RULES)
    part = transfer_part(read, told, RULES, MAIN_VALUES, 6)
    return render(read, told.success, transfer=part, title="a run", measure="success_held", max_videos=6)


def test_the_page_stands_alone_and_has_every_part(read):
    page = drawn(read)
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    ids = set(re.findall(r'<section id="(\w+)"', page))
    assert ids >= {"settings", "matrix", "varied", "films", "failures", "chains", "codes", "curves", "work"}
    assert set(re.findall(r'<a href="#(\w+)"', page)) == ids
    assert page.count("<video") == 3 * 2 * len(ARMS)  # settings, starts, arms
    assert "Another benchmark, not this one: Language Table and SIMPLER" in page
    titles = re.findall(r'class="setting"><b>([^<]+)</b>', page)  # of the main table, then of the cells
    assert titles[:3] == ["In domain", "Cross-environment", "Human video only"] and "hand → ur5e" in titles[3:]


def test_names_from_outside_are_text_on_the_page(read):
    named = {"family": "<script>x</script>", "failure": "<script>y</script>"}
    page = drawn([stage._replace(episodes=[row | named for row in stage.episodes], curves={}) for stage in read])
    assert "<script>x" not in page and "<script>y" not in page and "&lt;script&gt;y" in page


def test_a_run_without_settings_has_a_table_of_one_block(tmp_path):
    read = stages(fake_run(tmp_path / "demo"))
    success = compare(read, **PLAIN)
    (table,) = single(read, success, RULES).settings
    arms = {row.arm: row for row in success.overall.rows}
    assert {result.row.arm: result.row for result in table.results} == arms
    assert table.result("lapa").p_holm == success.overall.against("lapa").p_value  # a family of one
    assert "| all tasks | scratch |" in markdown(single(read, success, RULES))


def test_tables_hold_every_arm(told):
    flat = json.loads(json.dumps(rows(told), allow_nan=False))
    main_rows = [row for row in flat if row["setting"] in CHOSEN]
    assert len(main_rows) == sum(len(table.results) for table in told.settings)
    assert set(main_rows[0]["families"]) == set(FAMILIES)
    assert {row["setting"] for row in flat} > {"panda_to_ur5e", "hand_to_hand"}
    text = markdown(told)
    assert "- In domain: lapa minus unipi +" in text
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(main_rows)
    assert len({line.count("|") for line in lines}) == 1


@pytest.mark.parametrize(("width", "extra"), [(80, False), (140, True)])
def test_the_terminals_table_fits(told, width, extra):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(terminal_table(told, width))
    text = console.export_text()
    assert "…" not in text and "cross-task" not in text and "Cross-environment" in text
    assert ("62 / 49.6" in text) is extra and text.count("lapa") == 3


def test_the_door_writes_page_and_tables(tmp_path, capsys):
    run = fake_transfer(tmp_path / "transfer", settings=("", "in_domain"), per_task=4, more=False)
    settled = [f"runs=[{run}]", f"out={run / 'report'}", "main_values={videos_percent: 100}", "bootstrap.resamples=200"]
    main(compose("report", settled))
    assert "Watching helps in 1 setting: lapa closes" in capsys.readouterr().out.replace("\n", " ")
    assert {path.name for path in (run / "report").iterdir()} >= {"page.html", "table.json", "table.md"}
    assert json.loads((run / "report" / "manifest.json").read_text())["verdict"] == "helps"


def test_two_reports_in_one_run_settle(tmp_path):
    """Neither shows the other; so each is done once it has been made."""
    run = fake_transfer(tmp_path / "transfer", settings=("", "in_domain"), per_task=4, more=False, films=0)
    made = []
    for name in ("report", "report_again", "report", "report_again"):
        main(compose("report", [f"runs=[{run}]", f"out={run / name}", "bootstrap.resamples=100"]))
        made.append((run / name / "manifest.json").stat().st_mtime_ns)
    assert made[:2] == made[2:]
    assert "report_again" not in (run / "report" / "page.html").read_text()
    (run / "report_again" / "manifest.json").unlink()  # killed while it was made anew
    assert not any("report" in stage.name for stage in stages(run))
