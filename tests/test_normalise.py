"""policy.normalise: there and back is the identity, statistics are those of the training demonstrations."""

import numpy as np
import pytest
import torch

from lapa.relative import state_sources
from policy.normalise import Normaliser, cut_chunk, fit_statistics, take_moments

STATES, ACTIONS = ["joint1", "joint2", "gripper"], ["gripper", "joint2", "joint1"]


def fitted(chunk_steps=4, normalisation="mean_std", **changes):
    rng = np.random.default_rng(0)
    demos = [(rng.normal(3, 2, (9, 3)).astype("f4"), rng.normal(-1, 5, (9, 3)).astype("f4")) for _ in range(3)]
    names = {"state_names": STATES, "action_names": ACTIONS, "absolute": ["gripper"]} | changes
    sources = state_sources(*names.values())
    statistics = fit_statistics(take_moments(demos, sources=sources, chunk_steps=chunk_steps))
    return Normaliser(**names, statistics=statistics, normalisation=normalisation), demos


@pytest.mark.parametrize("normalisation", ["mean_std", "quantile"])
def test_there_and_back(normalisation):
    normaliser, _ = fitted(normalisation=normalisation)
    state, actions = torch.randn(5, 3), torch.randn(5, 4, 3) * 10
    scaled = normaliser.normalise(state, actions)
    torch.testing.assert_close(normaliser.denormalise(state, scaled), actions, atol=1e-4, rtol=1e-4)


def test_joints_follow_the_state_of_their_name_and_the_gripper_does_not():
    normaliser, _ = fitted()
    told = normaliser.denormalise(torch.zeros(1, 3), torch.zeros(1, 4, 3))
    moved = normaliser.denormalise(torch.tensor([[1.0, 10.0, 100.0]]), torch.zeros(1, 4, 3))
    torch.testing.assert_close((moved - told)[0, 0], torch.tensor([0.0, 10.0, 1.0]))


def test_the_training_set_has_mean_zero_and_deviation_one():
    normaliser, demos = fitted()
    rows = [(state[i], *cut_chunk(action, i, 4)) for state, action in demos for i in range(len(action))]
    state, chunk, mask = (torch.from_numpy(np.stack(parts)) for parts in zip(*rows, strict=True))
    scaled = normaliser.normalise(state, chunk)
    for step in range(4):
        values = scaled[mask[:, step], step]
        torch.testing.assert_close(values.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
        torch.testing.assert_close(values.std(0, correction=0), torch.ones(3), atol=1e-5, rtol=0)


def test_quantiles_become_one():
    normaliser, demos = fitted(normalisation="quantile")
    state = torch.from_numpy(np.concatenate([state for state, _ in demos]))
    low, high = normaliser.state(state).quantile(torch.tensor([0.01, 0.99]), dim=0)
    torch.testing.assert_close(torch.stack([low, high]), torch.tensor([[-1.0], [1.0]]).expand(2, 3), atol=1e-4, rtol=0)


def test_an_unknown_normalisation():
    with pytest.raises(ValueError, match="no normalisation 'minmax'; there are mean_std, quantile"):
        fitted(normalisation="minmax")


def test_what_never_moves_is_not_scaled():
    demos = [(np.full((6, 3), 0.5, "f4"), np.full((6, 3), 0.5, "f4"))]
    statistics = fit_statistics(take_moments(demos, sources=[2, 1, 0], chunk_steps=8))  # longer than the demonstration
    names = {"state_names": STATES, "action_names": ACTIONS, "absolute": []}
    normaliser = Normaliser(**names, statistics=statistics, normalisation="quantile")
    assert torch.isfinite(normaliser.normalise(torch.full((1, 3), 0.6), torch.full((1, 8, 3), 0.7))).all()


def test_unknown_names_and_no_demonstrations():
    with pytest.raises(ValueError, match="no action 'griper' to keep absolute"):
        state_sources(STATES, ACTIONS, ["griper"])
    with pytest.raises(ValueError, match="no demonstration"):
        take_moments([], sources=[0], chunk_steps=2)
