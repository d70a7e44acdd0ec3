"""Pairs of outcomes in the order in which they were played in → a test that may be looked at after each of them out."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import betaln

PRIOR = 0.5  # of Beta(PRIOR, PRIOR), over which bets are spread: Jeffreys', which loses least against the best bet


class Sequential(NamedTuple):
    """p_value: valid whenever one stops; decided_after: pairs until the arms were told apart, None: not yet."""

    p_value: float
    decided_after: int | None


def sequential_test(pairs: Iterable[tuple[bool, bool]], *, alpha: float) -> Sequential:
    """Do two arms differ? The chance of ever saying so of equal ones is at most alpha, however often one looks.

    The order of the pairs must tell nothing of their outcomes: seed by seed through all tasks, not task by task.
    It never says that arms are equal. Raises ValueError when alpha is not between 0 and 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"0 < alpha < 1 must hold; got {alpha}")
    growth = log_evidence(pairs)
    decided = np.flatnonzero(growth >= -np.log(alpha))
    p_value = min(1.0, float(np.exp(-growth.max(initial=0.0))))
    return Sequential(p_value, int(decided[0]) + 1 if len(decided) else None)


def log_evidence(pairs: Iterable[tuple[bool, bool]]) -> Float[np.ndarray, "n"]:
    """Logarithm of the evidence against equal arms after each pair (first arm succeeded, second arm succeeded).

    It is the fortune of somebody who bets on which arm wins the next pair in which they differ, having begun with 1.
    Against a fair coin no bet gains on average, so a fortune of 1/alpha is ever reached with a chance of at most alpha
    (Ville 1939). Bets on every rate of heads, spread by a Beta prior, have the closed form used here (Robbins, Annals
    of Mathematical Statistics 41 (1970), 1397-1409; betting: Ramdas et al., Statistical Science 38 (2023), 576-601).
    """
    first, second = np.array([(bool(one), bool(other)) for one, other in pairs], bool).reshape(-1, 2).T
    heads, differing = np.cumsum(first & ~second), np.cumsum(first ^ second)
    return differing * np.log(2) + betaln(heads + PRIOR, differing - heads + PRIOR) - betaln(PRIOR, PRIOR)
