"""Laws of the nuisances: codes of light are named so, codes of motion are not, a moved camera is seen, clips are told apart."""

import torch
from card_toys import thirds, toy_pairs

from quantizer.nuisance import MOTION, camera_shift, clip_identity, encoded, meanings, quantities
from quantizer.probe import one_hot

PAIRS = toy_pairs()
KNOWN = quantities(PAIRS)


def test_codes_that_are_brightness_are_named_and_codes_that_are_motion_too():
    codes = torch.cat((thirds(KNOWN["brightness"][:, 0]), thirds(PAIRS.change[:, 0])), 1)
    rows = meanings(codes, 3, PAIRS.change, KNOWN)
    assert [(row.slot, row.code) for row in rows] == [(slot, code) for slot in (0, 1) for code in (0, 1, 2)]
    assert [row.about for row in rows] == ["brightness"] * 3 + [MOTION] * 3  # the middle third too: it means "little"


def test_random_codes_speak_of_nothing():
    codes = torch.randint(0, 3, (len(PAIRS.clip), 2), generator=torch.Generator().manual_seed(1))
    assert {row.about for row in meanings(codes, 3, PAIRS.change, KNOWN)} == {""}
    assert abs(clip_identity(one_hot(codes, 3), PAIRS.clip)) < 0.05


def test_what_codes_encode_stands_beside_chance_and_motion():
    coded = one_hot(thirds(KNOWN["brightness"][:, 0]), 3)
    found = encoded(coded, coded.roll(100, 0), PAIRS, KNOWN)["brightness"]
    assert found["codes"] > 0.7 and found["shuffled"] < 0.05 and found[MOTION] < 0.05


def test_a_standing_camera_is_no_quantity_and_a_moved_one_is_measured():
    assert "camera" not in KNOWN
    moved = PAIRS.before.roll((2, -3), (-2, -1))
    assert torch.allclose(camera_shift(PAIRS.before, moved).median(0).values, torch.tensor([2 / 16, -3 / 16]))
    assert "camera" in quantities(PAIRS._replace(after=moved))


def test_values_that_name_the_clip_lie_between_clips():
    names = one_hot(PAIRS.clip[:, None], 60)
    assert clip_identity(names, PAIRS.clip) > 0.999
    assert abs(clip_identity(PAIRS.change, PAIRS.clip)) < 0.05
