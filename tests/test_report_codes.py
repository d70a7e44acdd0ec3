"""Laws of the card on the page: the verdict comes first, codes alone are a report, what is missing or old is named."""

import shutil
from pathlib import Path

import pytest
from fake_run import fake_run
from test_report import NOWHERE, RULES, SHOWN

from lapa.config import compose
from lapa.report import main
from lapa.report_codes import cards, missing_cards
from lapa.report_gather import gather
from lapa.report_page import render
from lapa.report_success import compare


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A recipe's folder whose rollouts are still to come."""
    run = fake_run(tmp_path / "demo", episodes=8)
    for name in ("rollout_lapa", "rollout_scratch"):
        shutil.rmtree(run / name)
    return run


def test_the_card_opens_with_its_verdict_and_shows_every_row(run):
    stages = gather([run], skip=NOWHERE)
    card, page = cards(stages)[0], render(stages, compare(stages, **RULES), **SHOWN)
    assert card.good_enough and [name for name, _ in card.images] == ["strips", "swaps", "codes"]
    places = [page.index(words) for words in ("Good enough", card.lines[0], "38 in 3200 pairs", "codes, small MLP")]
    assert places == sorted(places)


def test_codes_alone_are_a_report(run, tmp_path, capsys):
    main(compose("report", [f"runs=[{run / 'codes'}]", f"out={tmp_path / 'report'}"]))
    text = (tmp_path / "report" / "page.html").read_text()
    assert '<span class="verdict">Good enough</span>' in text and "No evaluation" not in text
    assert "Codes carry 0.71" in capsys.readouterr().out


def test_a_quantizer_without_a_card_is_told_how_to_get_one(run):
    assert missing_cards(gather([run], skip=NOWHERE)) == []
    shutil.rmtree(run / "codes")
    stages = gather([run / "quantizer"], skip=NOWHERE)
    assert [name for name, _ in missing_cards(stages)] == ["quantizer"]
    assert "no card yet; lapa label makes one" in render(stages, compare(stages, **RULES), **SHOWN)


def test_a_card_of_another_version_is_named_and_the_page_still_stands(run):
    (run / "codes" / "quality.json").write_text('{"perplexity": 7.9}')
    stages = gather([run], skip=NOWHERE)
    assert cards(stages) == [] and [name for name, _ in missing_cards(stages)] == ["codes"]
    assert "quality.json lacks codes_used" in render(stages, compare(stages, **RULES), **SHOWN)
