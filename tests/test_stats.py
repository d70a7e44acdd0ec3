"""Laws of the statistics: published values, symmetry, limits, coverage."""

import numpy as np
import pytest
from scipy.stats import beta, binom

from lapa.stats import PairedTable, holm, jeffreys, mcnemar_exact, mcnemar_of, paired_difference, paired_table, wilson


def test_wilson_gives_the_textbook_values():
    # Newcombe 1998 (Statistics in Medicine 17, 857-872), table I: score method without continuity correction
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


@pytest.mark.parametrize("interval", [wilson, jeffreys])
@pytest.mark.parametrize("successes", range(11))
def test_an_interval_holds_the_rate_and_mirrors(successes, interval):
    low, high = interval(successes, 10)
    assert 0 <= low <= successes / 10 <= high <= 1
    assert interval(10 - successes, 10) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize("interval", [wilson, jeffreys])
def test_more_episodes_narrow_the_interval(interval):
    widths = [high - low for low, high in (interval(n // 2, n) for n in (10, 100, 1000))]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("interval", [wilson, jeffreys])
@pytest.mark.parametrize("counts", [(0, 0), (3, 2), (-1, 5)])
def test_an_interval_refuses_impossible_counts(counts, interval):
    with pytest.raises(ValueError, match="got"):
        interval(*counts)


def test_jeffreys_leaves_equal_tails_of_its_posterior():
    low, high = jeffreys(7, 30)
    assert beta.cdf([low, high], 7.5, 23.5) == pytest.approx([0.025, 0.975])


@pytest.mark.parametrize("interval", [wilson, jeffreys])
def test_an_interval_covers_rates_about_as_often_as_it_says(interval):
    low, high = np.array([interval(count, 60) for count in range(61)]).T[:, :, None]
    rates = np.linspace(0.05, 0.95, 200)  # at a single one it jumps with the rate: counts are whole numbers
    covered = (binom.pmf(np.arange(61)[:, None], 60, rates) * ((low <= rates) & (rates <= high))).sum(axis=0)
    assert covered.mean() == pytest.approx(0.95, abs=0.005) and covered.min() > 0.9


def test_paired_table_counts_every_cell():
    pairs = [(True, True)] * 2 + [(True, False)] * 3 + [(False, True)] * 4 + [(False, False)] * 5
    assert paired_table(pairs) == (2, 3, 4, 5)
    assert paired_table(pairs).pairs == 14


def test_mcnemar_is_the_coin_of_the_differing_pairs():
    assert mcnemar_of(PairedTable(50, 8, 0, 42)) == pytest.approx(2 * 0.5**8)
    assert mcnemar_of(PairedTable(0, 6, 6, 1)) == pytest.approx(1.0)
    assert mcnemar_exact([(True, True), (False, False)]) == 1.0


def test_mcnemar_does_not_care_which_arm_comes_first():
    assert mcnemar_of(PairedTable(9, 11, 3, 7)) == pytest.approx(mcnemar_of(PairedTable(9, 3, 11, 7)))


def test_difference_without_correlation_is_that_of_independent_rates():
    # without correlation (phi shrunk to 0) it is the square-and-add interval of two independent rates
    table = PairedTable(1, 9, 9, 81)
    low, high = wilson(10, 100)
    spread = ((0.1 - low) ** 2 + (high - 0.1) ** 2) ** 0.5
    assert paired_difference(table) == pytest.approx((-spread, spread))


def test_difference_mirrors_when_the_arms_are_swapped():
    low, high = paired_difference(PairedTable(20, 30, 5, 45))
    assert paired_difference(PairedTable(20, 5, 30, 45)) == pytest.approx((-high, -low))
    assert low < 0.25 < high


def test_difference_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    cells = np.array([0.25, 0.30, 0.10, 0.35])
    intervals = [paired_difference(PairedTable(*map(int, row))) for row in rng.multinomial(80, cells, size=400)]
    assert 0.92 <= np.mean([low <= 0.20 <= high for low, high in intervals]) <= 0.98


def test_difference_needs_pairs():
    with pytest.raises(ValueError, match="at least one pair"):
        paired_difference(PairedTable(0, 0, 0, 0))


def test_holm_gives_the_values_of_its_rule():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0] and holm([0.2]) == [0.2] and holm([]) == []
    with pytest.raises(ValueError, match="lie in"):
        holm([0.1, 1.2])


def test_holm_keeps_the_error_of_the_family_and_loses_less_than_bonferroni():
    rng = np.random.default_rng(0)
    families = rng.random((4000, 5))  # five comparisons of equal arms
    adjusted = np.array([holm(family) for family in families])
    assert 0.03 <= np.mean(adjusted.min(axis=1) < 0.05) <= 0.06
    assert (adjusted >= families).all() and (adjusted <= np.minimum(5 * families, 1)).all()
