"""How often each arm alone succeeds in → how surely a number of paired episodes shows it, and how many are enough."""

from math import ceil, sqrt

import numpy as np
from scipy.stats import binom, norm


def mcnemar_power(pairs: int, *, first_only: float, second_only: float, alpha: float) -> float:
    """Chance in [0, 1] that the exact McNemar test of so many pairs gives p < alpha; exact, no simulation.

    first_only, second_only: shares of the pairs in which that arm alone succeeds, of a pilot's PairedTable. Of arms that
    do not depend on one another p(1 - q) and q(1 - p); what a shared start makes equal lowers both and helps.
    Raises ValueError for shares or an alpha that cannot be.
    """
    _check(first_only, second_only, alpha)
    together = first_only + second_only
    differing = np.arange(pairs + 1)
    # p is twice the smaller tail of a fair coin: the most wins of the one arm at which it is below alpha
    most = binom.ppf(alpha / 2, differing, 0.5) - 1
    heads = first_only / together
    shown = binom.cdf(most, differing, heads) + binom.cdf(most, differing, 1 - heads)
    return float(binom.pmf(differing, pairs, together) @ shown)


def pairs_needed(*, first_only: float, second_only: float, alpha: float, power: float) -> int:
    """Paired episodes that show such a difference at level alpha with a chance of `power` or more; arguments as above.

    From the normal approximation (Miettinen, Biometrics 24 (1968), 339-352; Connor, Biometrics 43 (1987), 207-211)
    upwards, because the exact test needs a few more. Raises ValueError as above, and without a difference.
    """
    _check(first_only, second_only, alpha)
    if first_only == second_only or not 0 < power < 1:
        raise ValueError(f"a difference, and 0 < power < 1, are needed; got {first_only} and {second_only}, {power}")
    together, difference = first_only + second_only, abs(first_only - second_only)
    spread = norm.isf(alpha / 2) * sqrt(together) + norm.isf(1 - power) * sqrt(together - difference**2)
    pairs = ceil((spread / difference) ** 2)
    while mcnemar_power(pairs, first_only=first_only, second_only=second_only, alpha=alpha) < power:
        pairs += 1
    return pairs


def _check(first_only: float, second_only: float, alpha: float) -> None:
    possible = first_only >= 0 and second_only >= 0 and 0 < first_only + second_only <= 1
    if not possible or not 0 < alpha < 1:
        raise ValueError(
            f"shares of pairs that differ add up to more than 0 and at most 1, and 0 < alpha < 1; "
            f"got {first_only}, {second_only} and alpha={alpha}"
        )
