"""Successes or errors in → rates with their intervals, and paired tests of two arms that met the same episodes.

Beside it: stats_bootstrap (intervals over tasks), stats_sequential (a test to peek at), stats_power (how many pairs).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from scipy.stats import beta, binomtest, wilcoxon

CONFIDENCE = 0.95  # of every interval in this file


class Interval(NamedTuple):
    """Two-sided 95 % interval; for rates in [0, 1], for differences of rates in [-1, 1]."""

    low: float
    high: float


class PairedTable(NamedTuple):
    """How two arms did on the same starts: counts of pairs, by which arm succeeded."""

    both: int
    first_only: int
    second_only: int
    neither: int

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return sum(self)

    @property
    def rates(self) -> tuple[float, float]:
        """Success rate of the first and of the second arm, in [0, 1]."""
        return (self.both + self.first_only) / self.pairs, (self.both + self.second_only) / self.pairs


def wilson(successes: int, n: int) -> Interval:
    """Wilson's score interval of a rate (Wilson 1927, no continuity correction), in [0, 1].

    Raises ValueError when n is not positive or successes is outside [0, n].
    """
    _check_counts(successes, n)
    found = binomtest(successes, n).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(float(found.low), float(found.high))


def jeffreys(successes: int, n: int) -> Interval:
    """Jeffreys' interval of a rate, in [0, 1]: the middle of a rate's posterior after the prior Beta(1/2, 1/2).

    It ends at 0 or 1 when nothing or everything succeeded (Brown, Cai, DasGupta: Statistical Science 16 (2001), 101-133).
    Raises ValueError as `wilson`.
    """
    _check_counts(successes, n)
    low, high = beta(successes + 0.5, n - successes + 0.5).interval(CONFIDENCE)
    return Interval(float(low) if successes else 0.0, float(high) if successes < n else 1.0)


def _check_counts(successes: int, n: int) -> None:
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"an interval needs 0 <= successes <= n and n > 0; got {successes} of {n}")


def paired_table(pairs: Iterable[tuple[bool, bool]]) -> PairedTable:
    """Counts (first arm succeeded, second arm succeeded) pairs."""
    seen = Counter((bool(first), bool(second)) for first, second in pairs)
    return PairedTable(seen[True, True], seen[True, False], seen[False, True], seen[False, False])


def mcnemar_exact(pairs: Iterable[tuple[bool, bool]]) -> float:
    """Two-sided exact McNemar p: could a fair coin have split the pairs in which the arms differ so unevenly?

    Gives 1.0 when no pair differs: nothing then speaks against equality.
    """
    return mcnemar_of(paired_table(pairs))


def mcnemar_of(table: PairedTable) -> float:
    """`mcnemar_exact` of pairs that are already counted."""
    differing = table.first_only + table.second_only
    return float(binomtest(table.first_only, differing, 0.5).pvalue) if differing else 1.0


def paired_difference(table: PairedTable) -> Interval:
    """Interval of (first arm's rate - second arm's rate) on paired starts, in [-1, 1].

    Newcombe's square-and-add method 10: Statistics in Medicine 17 (1998), 2635-2650. Raises ValueError without pairs.
    """
    if not table.pairs:
        raise ValueError("a difference needs at least one pair; got none")
    first, second = table.rates
    low_1, high_1 = wilson(table.both + table.first_only, table.pairs)
    low_2, high_2 = wilson(table.both + table.second_only, table.pairs)
    phi = _phi(table)
    below = _hypot(first - low_1, high_2 - second, phi)
    above = _hypot(high_1 - first, second - low_2, phi)
    return Interval(first - second - below, first - second + above)


def _hypot(a: float, b: float, phi: float) -> float:
    return sqrt(max(a * a - 2 * phi * a * b + b * b, 0.0))  # max: rounding may leave -1e-18


def _phi(table: PairedTable) -> float:
    """Correlation of the two arms' outcomes, shrunk by Newcombe's continuity correction when positive."""
    both, first, second, neither = table
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    excess = float(both * neither - first * second)
    if excess > 0:
        excess = max(excess - table.pairs / 2, 0.0)
    return excess / sqrt(margins) if margins else 0.0


def signed_rank_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Two-sided p of Wilcoxon's signed-rank test on pairs (scipy: exact up to 50 pairs without ties); 1.0 when all are equal.

    Raises ValueError when the two are not equally long.
    """
    differences = [one - other for one, other in zip(first, second, strict=True)]
    return float(wilcoxon(differences).pvalue) if any(differences) else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values of a family of comparisons, in the order given: below alpha where the family's chance of
    one false claim stays below alpha, however the comparisons depend on one another.

    Scandinavian Journal of Statistics 6 (1979), 65-70. Raises ValueError for a p outside [0, 1].
    """
    given = np.asarray(p_values, float)
    if not ((given >= 0) & (given <= 1)).all():
        raise ValueError(f"p-values lie in [0, 1]; got {list(p_values)}")
    order, left = np.argsort(given), np.arange(len(given), 0, -1)
    adjusted = np.empty(len(given))
    adjusted[order] = np.minimum(np.maximum.accumulate(left * given[order]), 1.0)
    return adjusted.tolist()
