"""lapa.report_open_loop: every replayed policy has its line and its curve; a page without any has no such part."""

import pytest
from fake_run import RULES, fake_run, stage

from lapa.report_gather import gather
from lapa.report_open_loop import open_loop
from lapa.report_page import render
from lapa.report_success import compare


@pytest.fixture
def run(tmp_path):
    folder = fake_run(tmp_path / "run")
    for number, name in enumerate(("lapa", "scratch")):
        errors = {
            who: {"joint": [0.1], "step": [0.1 * place, 0.2], "all": 0.1 * place + number / 100}
            for place, who in enumerate(("policy", "hold", "repeat", "mean"), start=1)
        }
        facts = {"errors": errors, "better_than": {"hold": {"episodes": 17, "p": 0.0004}}, "embodiment": "<g1>"}
        stage(folder / f"error_{name}", 3.0, [f"policy_{name}", "demos"], record="OpenLoop", count=18, **facts)
    return folder


def page(folder, skip) -> str:
    stages = gather([folder], skip=skip)
    return render(stages, compare(stages, **RULES), transfer=None, title="t", measure="success_held", max_videos=0)


def test_every_replayed_policy_has_its_line(run, tmp_path):
    rows = open_loop(gather([run], skip=tmp_path)).rows
    assert [(row.stage, row.error, row.better) for row in rows] == [
        ("error_lapa", 0.1, 17),
        ("error_scratch", 0.11, 17),
    ]
    text = page(run, tmp_path)
    assert text.count("17 of 18") == 2 and "&lt;g1&gt;" in text and "<g1>" not in text
    assert "last action again" in text and "step of the chunk" in text


def test_a_page_without_any_has_no_such_part(tmp_path):
    folder = fake_run(tmp_path / "run")
    assert open_loop(gather([folder], skip=tmp_path / "page")) is None
    assert "Open loop" not in page(folder, tmp_path / "page")
