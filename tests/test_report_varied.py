"""Laws of lapa.report_varied: a curve a quantity, with the main setting's point and what does not depend on it."""

import pytest
from fake_transfer import MAIN_VALUES, fake_transfer
from test_report_transfer import RULES, SHARED, arm_of, stages

from lapa.report_gather import Stage
from lapa.report_transfer import transfer
from lapa.report_varied import varied, words


@pytest.fixture(scope="module")
def read(tmp_path_factory) -> list[Stage]:
    folder = tmp_path_factory.mktemp("runs") / "transfer"
    return stages(fake_transfer(folder, settings=("", "in_domain"), per_task=4, films=0))


def test_curves_take_the_main_run_as_a_point(read):
    found = varied(read, main_values=MAIN_VALUES, shared=SHARED, beside=RULES.beside, measure=RULES.measure)
    parts = {part.quantity: part for part in found}
    videos = parts["videos [%]"]
    assert [value for value, _ in videos.rows] == ["10", "30", "100"]
    assert videos.rows[-1][1][0].rate == arm_of(transfer(read, RULES), "in_domain", "lapa").row.rate
    assert (videos.arms, videos.drawn) == (["lapa"], ["lapa", "scratch"])  # ActionVLA would have had fewer videos too
    assert parts["target"].drawn == ["lapa", "scratch", "actionvla"]
    assert parts["demos [%]"].drawn == ["scratch", "lapa"]  # fewer demonstrations are fewer for ActionVLA too
    assert [value for value, _ in parts["target"].rows] == ["features", "flow", "pixels"]
    assert "nan" not in videos.plot and "var(--series-1)" in videos.plot
    assert words("codebook_size") == "codebook size" and words("gap_s") == "gap [s]"


def test_who_has_watched_nothing_either_has_the_main_point_too(read):
    longer = [
        stage._replace(name=f"{stage.name}_long")
        for stage in read
        if stage.name in ("rollout_scratch", "ablations/demos_percent/10/rollout_scratch")
    ]
    more = [*read, *longer]
    found = varied(more, main_values=MAIN_VALUES, shared=SHARED, beside=RULES.beside, measure=RULES.measure)
    demos = next(part for part in found if part.quantity == "demos [%]")
    assert demos.arms == demos.drawn == ["scratch", "scratch_long", "lapa"]
    control, longer_one, _ = dict(demos.rows)["100"]
    assert longer_one.rate == control.rate
