"""Features and what they are to tell in; the linear map that tells it best, and the share that a guess explains (R²), out."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

VARIES = 1e-9  # a spread, or a variance, at or below it is a constant's


def standardise(values: Float[Tensor, "b d"], fit: Bool[Tensor, "b"], *, least: float = VARIES) -> Float[Tensor, "b d"]:
    """Mean 0 and deviation 1 on the rows `fit`; what deviates by at most `least` there is only centred."""
    spread = values[fit].std(dim=0)
    return (values - values[fit].mean(dim=0)) / torch.where(spread > least, spread, 1.0)


def fit_ridge(
    inputs: Float[Tensor, "b d"], truth: Float[Tensor, "b m"], *, fit: Bool[Tensor, "b"], pick: Bool[Tensor, "b"],
    ridges: Sequence[float], least: float = VARIES,
) -> Float[Tensor, "d m"]:  # fmt: skip
    """Ridge regression on the rows `fit`, by that of `ridges` (times the number of these rows) that does best on `pick`."""
    gram, moment = inputs[fit].T @ inputs[fit], inputs[fit].T @ truth[fit]
    eye = torch.eye(len(gram), dtype=gram.dtype) * int(fit.sum())
    maps = [torch.linalg.solve(gram + ridge * eye, moment) for ridge in ridges]
    return max(maps, key=lambda each: r_squared(inputs[pick] @ each, truth[pick], least=least))


def r_squared(guess: Float[Tensor, "b m"], truth: Float[Tensor, "b m"], *, least: float = VARIES) -> float:
    """1 − squared error / variance, averaged over dimensions that vary by more than `least`; 0 when none does."""
    variance = (truth - truth.mean(dim=0)).square().mean(dim=0)
    error, moving = (guess - truth).square().mean(dim=0), variance > least
    return float((1 - error[moving] / variance[moving]).mean()) if moving.any() else 0.0
