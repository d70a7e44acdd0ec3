"""Features and true motion in, the share of motion they explain on held-out episodes (R²) out: linear and MLP probes."""

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

RIDGES = (1e-4, 1e-2, 1.0)  # times the number of rows, of standardised features
MLP_WIDTH, MLP_STEPS, MLP_CHECK = 128, 300, 25


def one_hot(codes: Int64[Tensor, "b k"], num_codes: int) -> Float[Tensor, "b d"]:
    """Codes as d = k·num_codes indicator features."""
    return rearrange(F.one_hot(codes, num_codes).float(), "b k c -> b (k c)")


def fold_of(groups: Int64[Tensor, "b"]) -> Int64[Tensor, "b"]:
    """0 to 3 for each row, the same for all rows of a group (an episode): 0 is scored on, 1 picks settings, 2 and 3 fit."""
    _, numbers = groups.unique(return_inverse=True)
    if numbers.numel() == 0 or int(numbers.max()) < 3:
        raise ValueError("a probe needs at least 4 episodes, so that it can be scored on one it has not seen")
    return numbers % 4


def linear_probe(features: Float[Tensor, "b d"], targets: Float[Tensor, "b m"], groups: Int64[Tensor, "b"]) -> float:
    """R² of ridge regression, averaged over the targets' dimensions, on episodes neither fitted nor used to pick the ridge."""
    folds, inputs, truth = _prepared(features, targets, groups)
    fit, pick, score = folds > 1, folds == 1, folds == 0
    gram, moment = inputs[fit].T @ inputs[fit], inputs[fit].T @ truth[fit]
    eye = torch.eye(inputs.shape[1], dtype=inputs.dtype)
    weights = [torch.linalg.solve(gram + ridge * int(fit.sum()) * eye, moment) for ridge in RIDGES]
    best = max(weights, key=lambda weight: r_squared(inputs[pick] @ weight, truth[pick]))
    return r_squared(inputs[score] @ best, truth[score])


def mlp_probe(
    features: Float[Tensor, "b d"], targets: Float[Tensor, "b m"], groups: Int64[Tensor, "b"], seed: int
) -> float:
    """As `linear_probe`, by a small MLP stopped early on the picking fold."""
    folds, inputs, truth = _prepared(features, targets, groups)
    inputs, truth = inputs.float(), truth.float()
    fit, pick, score = folds > 1, folds == 1, folds == 0
    best, answer = -torch.inf, 0.0
    with torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(seed)
        mlp = nn.Sequential(nn.Linear(inputs.shape[1], MLP_WIDTH), nn.GELU(), nn.Linear(MLP_WIDTH, truth.shape[1]))
        optimizer = torch.optim.AdamW(mlp.parameters(), lr=3e-3, weight_decay=0.1)
        for step in range(MLP_STEPS):
            optimizer.zero_grad()
            F.mse_loss(mlp(inputs[fit]), truth[fit]).backward()
            optimizer.step()
            if step % MLP_CHECK == MLP_CHECK - 1:
                guess = mlp(inputs).detach()
                picked = r_squared(guess[pick], truth[pick])
                best, answer = max(
                    (best, answer), (picked, r_squared(guess[score], truth[score])), key=lambda pair: pair[0]
                )
    return answer


def r_squared(guess: Float[Tensor, "b m"], truth: Float[Tensor, "b m"]) -> float:
    """1 − squared error / variance, averaged over dimensions that vary at all; 0 when none does."""
    variance = (truth - truth.mean(0)).square().mean(0)
    moving = variance > 1e-9
    error = (guess - truth).square().mean(0)
    return float((1 - error[moving] / variance[moving]).mean()) if moving.any() else 0.0


def _prepared(features: Tensor, targets: Tensor, groups: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Folds, features standardised on the fitting rows (double) with a constant, targets standardised on them."""
    folds = fold_of(groups)
    inputs, truth = (_standard(x.double(), folds > 1) for x in (features, targets))
    return folds, torch.cat((inputs, torch.ones_like(inputs[:, :1])), 1), truth


def _standard(values: Tensor, fit: Tensor) -> Tensor:
    """Zero mean, unit spread on the fitting rows, within ±10: a feature that hardly varied there must not explode elsewhere."""
    spread = values[fit].std(0)
    return ((values - values[fit].mean(0)) / torch.where(spread > 1e-9, spread, 1.0)).clamp(-10, 10)
