"""Laws of the probes: a linear truth is read whole, a curved one by the MLP, shuffled features tell nothing."""

import pytest
import torch

from lapa.probe import r_squared
from policy import score
from quantizer.probe import (
    Scored,
    fold_of,
    interval,
    linear_guess,
    linear_probe,
    mlp_probe,
    one_hot,
    resampled,
    split_of,
)


@pytest.fixture
def table():
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(600, 5, generator=rng)
    targets = features @ torch.randn(5, 3, generator=rng)
    return features, targets, torch.arange(600) // 10


def test_a_linear_truth_is_read_whole(table):
    features, targets, groups = table
    assert linear_probe(features, targets, groups) > 0.99
    assert mlp_probe(features, targets, groups, 0) > 0.9


def test_a_curved_truth_needs_the_mlp(table):
    features, _, groups = table
    curved = features[:, :1].abs()
    assert linear_probe(features, curved, groups) < 0.2
    assert mlp_probe(features, curved, groups, 0) > 0.6


def test_shuffled_features_tell_nothing(table):
    features, targets, groups = table
    shuffled = features[torch.randperm(600, generator=torch.Generator().manual_seed(1))]
    assert linear_probe(shuffled, targets, groups) < 0.05
    assert mlp_probe(shuffled, targets, groups, 0) < 0.05


def test_what_only_names_the_episode_tells_nothing_of_others():
    groups = torch.arange(400) // 10
    targets = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))[groups]  # one value an episode
    names = torch.nn.functional.one_hot(groups, 40).float()
    assert linear_probe(names, targets, groups) < 0.05


def test_rows_of_an_episode_stay_together():
    groups = torch.tensor([7, 3, 7, 5, 3, 9, 5])
    folds = fold_of(groups)
    assert all(len(folds[groups == group].unique()) == 1 for group in groups.unique())
    with pytest.raises(ValueError, match="4 episodes"):
        fold_of(torch.tensor([1, 1, 2, 3]))


def test_r_squared_and_one_hot():
    truth = torch.tensor([[0.0, 1.0], [2.0, 1.0]])  # the second column never varies and is left out
    assert r_squared(truth, truth) == 1.0
    assert r_squared(truth.mean(0).expand(2, 2), truth) == 0.0
    assert one_hot(torch.tensor([[1, 0]]), 3).tolist() == [[0, 1, 0, 1, 0, 0]]


def test_the_interval_holds_the_score_and_narrows_with_more_episodes(table):
    features, targets, groups = table
    noisy = targets + torch.randn(600, 3, generator=torch.Generator().manual_seed(2))
    spans = []
    for rows in (slice(0, 120), slice(0, 600)):
        scored = linear_guess(features[rows], noisy[rows], groups[rows], split_of(groups[rows]))
        low, high = interval(resampled(scored, 0))
        assert low < scored.r2 < high < 1
        spans.append(high - low)
    assert spans[1] < spans[0]


def test_a_resampled_score_is_the_score_of_the_episodes_drawn():
    scored = Scored(torch.randn(40, 2), torch.randn(40, 2), torch.zeros(40, dtype=torch.int64))  # one episode only
    assert torch.allclose(resampled(scored, 0), torch.tensor(scored.r2, dtype=torch.double), atol=1e-5)


def test_both_rooms_probes_say_what_they_said_before_they_shared_a_ridge():
    """They differ in folds, ridges and what counts as constant; a constant feature, a tiny one and a resting truth are in."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(600, 24, generator=generator)
    features[:, 3], features[:, 4] = 1.0, features[:, 4] * 1e-8
    truth = features @ torch.randn(24, 4, generator=generator) + 0.7 * torch.randn(600, 4, generator=generator)
    truth[:, 2] = 0
    clips = torch.arange(600) // 10 * 7919
    assert linear_probe(features, truth, clips) == pytest.approx(0.975789, abs=1e-6)
    assert score.probe([score.Reading(features, truth, clips)]) == pytest.approx(0.970820, abs=1e-6)
