"""Laws of the verdict: every line that decides can fail alone and is then named with its number; the words are the numbers."""

import copy
import json

import pytest
import torch
from small_quantizer import build, clip_folder

from lapa.config import compose
from lapa.report import main
from lapa.stage import open_stage
from lapa.stream import shows_label
from quantizer.quality import write_quality
from quantizer.sample import episode_number, gather
from quantizer.verdict import judge

RULES = {"gap": 1, "uses": torch.full((8,), 40), "max_clips": 12, "pairs_per_clip": 8, "seed": 0}
FAULTS = {  # what to change of a card that passes, and what must then be named
    "codes in use": lambda card: card.update(codes_used=3),
    "codes, linear": lambda card: card["probe"].update(first_frame=0.58),
    "codes' share of the linearly decodable motion": lambda card: card["carried"].update(share=0.69),
    "over another pair's codes": lambda card: card["picture"]["gain_db"].update(other_codes=0.0),
    "something else than motion": lambda card: [code.update(about="brightness") for code in card["codes"][:3]],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clips of drifting squares and the card of an untrained quantizer, in a finished stage."""
    root = tmp_path_factory.mktemp("card")
    clip_folder(root / "clips")
    cfg = compose("label", ["quantizer=none", "clips=none", f"out={root / 'codes'}"])
    with open_stage(cfg, inputs={}) as stage:
        write_quality(build().eval(), root / "clips", stage.out, **RULES)
        stage.finish(record="LatentStep", count=96)
    return root


@pytest.fixture
def passing(folder):
    """The measured card with numbers that pass."""
    card = json.loads((folder / "codes" / "quality.json").read_text())
    card["probe"] |= {"codes_linear": 0.6, "state_only": 0.2, "first_frame": 0.1, "next_frame": 0.1, "shuffled": 0.0}
    card["carried"] = {"of": "flow_field", "r2": 0.8, "share": 0.75, "interval": [0.7, 0.8]}
    card["picture"]["gain_db"]["other_codes"] = 0.5
    card["codes"] = [
        {"slot": slot, "code": 0, "share": 0.1, "about": "motion", "explained": {"motion": 0.2}} for slot in range(8)
    ]
    return card


def test_clips_that_taught_their_states_are_not_probed(folder):
    whole, half = (gather(folder / "clips", gap=1, max_clips=12, pairs_per_clip=8, label_percent=p) for p in (0, 50))
    shown = {episode_number(f"clip{i:03d}") for i in range(12) if shows_label(f"clip{i:03d}", 50)}
    assert shown and shown == set(whole.clip.tolist()) - set(half.clip.tolist())


def test_an_untrained_quantizer_is_not_good_enough_and_the_card_is_whole(folder):
    card = json.loads((folder / "codes" / "quality.json").read_text())
    assert not card["good_enough"] and card["verdict"][-1].startswith("Not yet: ")
    assert card["probe_of"] == "motion of the tool" and card["chains"]["chains"] > 8
    assert card["picture"]["gain_db"].keys() == {"copy", "no_codes", "other_codes"}
    assert 0 <= card["picture"]["read_back"]["own_scene"] <= 1 and card["transfer"] == []
    assert all(
        (folder / "codes" / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in ("strips", "swaps", "codes")
    )


def test_the_card_is_the_same_for_the_same_seed(folder, tmp_path):
    write_quality(build().eval(), folder / "clips", tmp_path, **RULES)
    assert (tmp_path / "quality.json").read_bytes() == (folder / "codes" / "quality.json").read_bytes()


def test_a_card_that_passes_says_so_with_its_numbers(passing):
    verdict = judge(passing)
    assert verdict.good_enough and verdict.lines[-1].startswith("Good enough")
    assert "Codes carry 0.75 of the linearly decodable motion" in verdict.lines[0]


@pytest.mark.parametrize("name", FAULTS)
def test_each_line_that_decides_can_fail_alone(passing, name):
    spoilt = copy.deepcopy(passing)
    FAULTS[name](spoilt)
    verdict = judge(spoilt)
    missed = [row.metric for row in verdict.table if row.decides and not row.passed]
    assert len(missed) == 1 and name in missed[0] and missed[0] in verdict.lines[-1]
    assert len(FAULTS) == sum(row.decides for row in verdict.table), "every line that decides is tried here"


def test_a_card_by_optical_flow_alone_does_not_say_good_enough(passing):
    verdict = judge(passing | {"probe_of": "optical flow"})
    assert not verdict.good_enough and verdict.lines[-1].startswith("Not known: these clips know no true motion")


def test_what_training_gained_over_an_untrained_twin_is_told(folder, tmp_path):
    card = write_quality(build().eval(), folder / "clips", tmp_path, untrained=build(seed=1), **RULES)
    assert -1 < card["probe"]["untrained"] < 1
    gained = next(row for row in card["table"] if "training the encoder" in row["metric"])
    assert gained["passed"] == (card["probe"]["codes_linear"] > card["probe"]["untrained"])


def test_codes_of_brightness_are_named(passing):
    for code in passing["codes"][:2]:
        code["about"] = "brightness"
    assert "6 encode motion; 2 encode brightness (0:0, 1:0)" in " ".join(judge(passing).lines)


def test_three_videos_and_pictures_that_cannot_be_drawn_leave_a_card_that_says_so(tmp_path):
    clip_folder(tmp_path / "clips", count=3, frames=2)
    card = write_quality(build("~targets.residual").eval(), tmp_path / "clips", tmp_path / "out", **RULES)
    assert card["probe"] is None and card["picture"] is None and card["chains"] is None
    assert "4 videos or more" in card["verdict"][-1] and not list((tmp_path / "out").glob("*.png"))


def test_the_report_shows_the_card_of_codes_alone(folder, tmp_path):
    main(compose("report", [f"runs=[{folder / 'codes'}]", f"out={tmp_path}"]))
    page = (tmp_path / "page.html").read_text()
    assert "Not yet" in page and page.count("data:image/png") == 3 and "S-PCFC" in page
