"""Laws of the ballot: who moves is counted once and apart from others, who stands is not, and a small mover still counts."""

import torch

from quantizer.votes import ballot

SIDE, RADIUS = 7, 8.0


def cells(steps, trust=1.0):
    """The ballot [7, 7] of pixels that all move by their row of `steps`."""
    step = torch.tensor(steps)[None]
    return ballot(step, torch.full(step.shape[:2], trust), side=SIDE, radius_px=RADIUS)[0].view(SIDE, SIDE)


def test_two_movers_have_a_cell_each_where_their_mean_would_stand_still():
    votes = cells([[8.0, 0.0], [-8.0, 0.0]])
    assert votes[6, 3] == votes[0, 3] and torch.isclose(votes[6, 3] ** 2, torch.tensor(0.5))
    assert (votes > 1e-3).sum() == 2


def test_a_vote_is_shared_among_neighbours_and_sums_to_the_trust():
    votes = cells([[0.4, 5.0]], trust=0.5)
    assert (votes > 0).sum() == 4  # down or not, right by more or less
    assert torch.isclose(votes.square().sum(), torch.tensor(0.5))


def test_what_stands_still_does_not_vote():
    assert cells([[0.0, 0.0]] * 3).abs().max() == 0


def test_a_small_mover_counts_beside_a_large_one():
    votes = cells([[8.0, 0.0]] * 15 + [[0.0, 8.0]])
    assert votes[3, 6] > 0.25 * votes[6, 3]  # 1 of 16 pixels
