"""Features and true motion in, what probes guess on held-out episodes and the share they explain (R²) out."""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from lapa.probe import VARIES, fit_ridge, r_squared, standardise

RIDGES = (1e-4, 1e-2, 1.0)  # times the number of rows, of standardised features
MLP_WIDTH, MLP_STEPS, MLP_ROWS, MLP_CHECK = 128, 300, 512, 25  # rows a step
LEAST_EPISODES = 4  # one scored on, one to pick settings, two to fit
RESAMPLES, TAIL = 500, 0.025  # of the bootstrap; an interval leaves out TAIL on either side


class Split(NamedTuple):
    """Which rows a probe is fitted on, which pick its settings, which it is scored on."""

    fit: Bool[Tensor, "b"]
    pick: Bool[Tensor, "b"]
    score: Bool[Tensor, "b"]


class Scored(NamedTuple):
    """Guess and truth on the rows scored on, in units of the truth's spread on the fitting rows."""

    guess: Float[Tensor, "s m"]
    truth: Float[Tensor, "s m"]
    group: Int64[Tensor, "s"]  # episode

    @property
    def r2(self) -> float:
        return r_squared(self.guess, self.truth)


def one_hot(codes: Int64[Tensor, "b k"], num_codes: int) -> Float[Tensor, "b d"]:
    """Codes as d = k·num_codes indicator features."""
    return rearrange(F.one_hot(codes, num_codes).float(), "b k c -> b (k c)")


def fold_of(groups: Int64[Tensor, "b"]) -> Int64[Tensor, "b"]:
    """0 to 3 for each row, the same for all rows of a group (an episode): 0 is scored on, 1 picks settings, 2 and 3 fit."""
    _, numbers = groups.unique(return_inverse=True)
    if numbers.numel() == 0 or int(numbers.max()) < LEAST_EPISODES - 1:
        raise ValueError("a probe needs at least 4 episodes, so that it can be scored on one it has not seen")
    return numbers % 4


def split_of(groups: Int64[Tensor, "b"]) -> Split:
    """Half of the episodes to fit, a quarter to pick, a quarter to score on. ValueError below 4 episodes."""
    return split_by(fold_of(groups))


def split_by(folds: Int64[Tensor, "b"]) -> Split:
    """What `fold_of` numbers, and rows of no fold (−1), which take no part."""
    return Split(folds > 1, folds == 1, folds == 0)


def linear_probe(features: Float[Tensor, "b d"], targets: Float[Tensor, "b m"], groups: Int64[Tensor, "b"]) -> float:
    """R² of ridge regression, averaged over the targets' dimensions, on episodes neither fitted nor used to pick the ridge."""
    return linear_guess(features, targets, groups, split_of(groups)).r2


def mlp_probe(
    features: Float[Tensor, "b d"], targets: Float[Tensor, "b m"], groups: Int64[Tensor, "b"], seed: int
) -> float:
    """As `linear_probe`, by a small MLP stopped early on the picking fold."""
    return mlp_guess(features, targets, groups, split_of(groups), seed).r2


def linear_guess(features: Tensor, targets: Tensor, groups: Tensor, split: Split) -> Scored:
    """Ridge regression fitted and picked as `split` says."""
    inputs, truth = _prepared(features, targets, split.fit)
    best = fit_ridge(inputs, truth, fit=split.fit, pick=split.pick, ridges=RIDGES)
    return Scored(inputs[split.score] @ best, truth[split.score], groups[split.score])


def mlp_guess(features: Tensor, targets: Tensor, groups: Tensor, split: Split, seed: int) -> Scored:
    """A small MLP, fitted and stopped as `split` says."""
    inputs, truth = (values.float() for values in _prepared(features, targets, split.fit))
    fitted, wanted = inputs[split.fit], truth[split.fit]
    best, answer = -torch.inf, torch.zeros_like(truth[split.score])
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        mlp = nn.Sequential(nn.Linear(inputs.shape[1], MLP_WIDTH), nn.GELU(), nn.Linear(MLP_WIDTH, truth.shape[1]))
        optimizer = torch.optim.AdamW(mlp.parameters(), lr=3e-3, weight_decay=0.1)
        for step in range(MLP_STEPS):
            rows = torch.randint(len(fitted), (min(MLP_ROWS, len(fitted)),))
            optimizer.zero_grad()
            F.mse_loss(mlp(fitted[rows]), wanted[rows]).backward()
            optimizer.step()
            if step % MLP_CHECK == MLP_CHECK - 1:
                guess = mlp(inputs).detach()
                picked = r_squared(guess[split.pick], truth[split.pick])
                best, answer = (picked, guess[split.score]) if picked > best else (best, answer)
    return Scored(answer, truth[split.score], groups[split.score])


def resampled(scored: Scored, seed: int) -> Float[Tensor, "r"]:
    """R² of RESAMPLES draws of whole episodes with replacement; the same seed draws the same episodes for every probe."""
    _, number = scored.group.unique(return_inverse=True)
    episodes = int(number.max()) + 1
    drawn = torch.randint(episodes, (RESAMPLES, episodes), generator=torch.Generator().manual_seed(seed))
    times = torch.zeros(RESAMPLES, episodes, dtype=torch.double)
    times.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.double))
    truth, error = scored.truth.double(), (scored.guess - scored.truth).double()
    columns = torch.cat((torch.ones_like(truth), truth, truth.square(), error.square()), 1)
    sums = times @ torch.zeros(episodes, columns.shape[1], dtype=torch.double).index_add_(0, number, columns)
    count, total, square, wrong = sums.chunk(4, 1)
    variance = square / count - (total / count).square()
    moving = (truth - truth.mean(0)).square().mean(0) > VARIES
    return (1 - wrong / count / variance.clamp_min(VARIES))[:, moving].mean(1)


def interval(values: Float[Tensor, "r"]) -> tuple[float, float]:
    """The middle 95 % of bootstrapped values."""
    low, high = values.double().quantile(torch.tensor((TAIL, 1 - TAIL), dtype=torch.double))
    return float(low), float(high)


def _prepared(features: Tensor, targets: Tensor, fit: Tensor) -> tuple[Tensor, Tensor]:
    """Features and targets standardised on the fitting rows (double), features with a constant.

    All within ±10: a feature that hardly varied there must not explode elsewhere.
    """
    inputs, truth = (standardise(x.double(), fit).clamp(-10, 10) for x in (features, targets))
    return torch.cat((inputs, torch.ones_like(inputs[:, :1])), 1), truth
