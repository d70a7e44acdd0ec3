"""Laws of the statistics: published values, symmetry, limits, coverage."""

import numpy as np
import pytest

from lapa.stats import PairedTable, mcnemar_exact, mcnemar_of, paired_difference, paired_table, wilson


def test_wilson_gives_the_textbook_values():
    # Newcombe 1998 (Statistics in Medicine 17, 857-872), table I: score method without continuity correction
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


@pytest.mark.parametrize("successes", range(11))
def test_wilson_holds_the_rate_and_mirrors(successes):
    low, high = wilson(successes, 10)
    assert 0 <= low <= successes / 10 <= high <= 1
    assert wilson(10 - successes, 10) == pytest.approx((1 - high, 1 - low))


def test_more_episodes_narrow_the_interval():
    widths = [high - low for low, high in (wilson(n // 2, n) for n in (10, 100, 1000))]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("counts", [(0, 0), (3, 2), (-1, 5)])
def test_wilson_refuses_impossible_counts(counts):
    with pytest.raises(ValueError, match="got"):
        wilson(*counts)


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
