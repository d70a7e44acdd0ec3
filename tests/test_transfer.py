"""Laws of transfer: codes that mean the same on both bodies carry over, opposite ones do not, few videos are skipped."""

import torch
from card_toys import toy_pairs

from quantizer.reconstruction import other_bodies
from quantizer.transfer import transfer

PAIRS = toy_pairs(bodies=("arm", "hand"))


def test_a_shared_meaning_carries_over_and_an_opposite_one_does_not():
    found = transfer(PAIRS.change, PAIRS)
    assert [(path["from"], path["to"]) for path in found] == [("arm", "hand"), ("hand", "arm")]
    assert all(path["r2"] > 0.99 and path["own"] > 0.99 for path in found)
    sign = torch.where(PAIRS.body == 0, 1.0, -1.0)[:, None]
    assert all(path["r2"] < -1 and path["own"] > 0.99 for path in transfer(PAIRS.change * sign, PAIRS))


def test_one_body_and_bodies_of_eleven_videos_transfer_nothing():
    assert transfer(PAIRS.change, toy_pairs()) == []
    assert transfer(PAIRS.change[:176], toy_pairs(clips=22, bodies=("arm", "hand"))) == []


def test_every_partner_has_another_body():
    body = torch.tensor([0, 1, 1, 2, 0, 0])
    assert (body[other_bodies(body)] != body).all()
