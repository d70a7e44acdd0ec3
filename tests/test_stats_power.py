"""Laws of the power: what the exact test does in a simulation, monotone in the difference, the number is enough."""

import numpy as np
import pytest

from lapa.stats import PairedTable, mcnemar_of
from lapa.stats_power import mcnemar_power, pairs_needed


def simulated(pairs, *, first_only, second_only, alpha, tests=3000):
    rest = 1 - first_only - second_only
    cells = np.random.default_rng(0).multinomial(pairs, [rest / 2, first_only, second_only, rest / 2], size=tests)
    return np.mean([mcnemar_of(PairedTable(*map(int, row))) < alpha for row in cells])


@pytest.mark.parametrize(("pairs", "first_only", "second_only"), [(60, 0.3, 0.1), (200, 0.2, 0.1), (40, 0.0, 0.4)])
def test_power_is_what_a_simulation_finds(pairs, first_only, second_only):
    shares = {"first_only": first_only, "second_only": second_only, "alpha": 0.05}
    assert mcnemar_power(pairs, **shares) == pytest.approx(simulated(pairs, **shares), abs=0.025)


def test_without_a_difference_power_is_the_error_at_most():
    assert 0 < mcnemar_power(300, first_only=0.2, second_only=0.2, alpha=0.05) <= 0.05


@pytest.mark.parametrize(("first_only", "second_only", "alpha"), [(0.2, 0.1, 0.01), (0.3, 0.05, 0.05)])
def test_the_pairs_that_are_needed_are_enough_in_a_simulation_and_half_of_them_are_not(first_only, second_only, alpha):
    shares = {"first_only": first_only, "second_only": second_only, "alpha": alpha}
    pairs = pairs_needed(**shares, power=0.9)
    assert mcnemar_power(pairs, **shares) >= 0.9
    assert simulated(pairs, **shares) == pytest.approx(0.9, abs=0.03) and simulated(pairs // 2, **shares) < 0.8


def test_more_is_needed_for_less():
    needed = [pairs_needed(first_only=more, second_only=0.1, alpha=0.01, power=0.9) for more in (0.4, 0.2, 0.15)]
    assert needed == sorted(needed) and needed[0] < 100 < 1000 < needed[-1]


@pytest.mark.parametrize("wrong", [{"first_only": 0.95}, {"alpha": 1.0}, {"first_only": 0.1}, {"power": 1.0}])
def test_impossible_questions_are_refused(wrong):
    with pytest.raises(ValueError, match="got"):
        pairs_needed(**{"first_only": 0.3, "second_only": 0.1, "alpha": 0.05, "power": 0.9} | wrong)
