"""Laws of the sequential test: its error over all looks, early stops, agreement with the exact test's direction."""

import numpy as np
import pytest

from lapa.stats import mcnemar_exact
from lapa.stats_sequential import log_evidence, sequential_test


def drawn(rng, *, first_only, second_only, pairs):
    """Pairs of outcomes; where the arms agree, both fail."""
    kind = rng.choice(3, p=[first_only, second_only, 1 - first_only - second_only], size=pairs)
    return np.stack([kind == 0, kind == 1], axis=1)


@pytest.mark.parametrize("differing", [0.2, 0.8])
def test_looking_after_every_pair_keeps_the_error(differing):
    rng, half = np.random.default_rng(0), differing / 2
    tests = [drawn(rng, first_only=half, second_only=half, pairs=600) for _ in range(1000)]
    alarms = np.mean([sequential_test(pairs, alpha=0.05).decided_after is not None for pairs in tests])
    assert 0 < alarms <= 0.05
    naive = [any(mcnemar_exact(pairs[:stop]) < 0.05 for stop in range(50, 601, 50)) for pairs in tests[:200]]
    assert np.mean(naive) > 0.08, "the exact test, looked at again and again, does not keep it"


def test_a_large_difference_stops_early_and_a_small_one_later():
    rng = np.random.default_rng(0)
    stops = []
    for first_only in (0.5, 0.3):
        tests = [drawn(rng, first_only=first_only, second_only=0.05, pairs=600) for _ in range(100)]
        stops.append([sequential_test(pairs, alpha=0.01).decided_after or 600 for pairs in tests])
    assert np.median(stops[0]) < 50 and np.median(stops[0]) < np.median(stops[1]) < 150


def test_a_stop_is_not_taken_back_and_comes_at_the_same_pair():
    pairs = [(True, False)] * 12 + [(False, True)] * 40
    found = sequential_test(pairs, alpha=0.01)
    assert found.p_value < 0.01 and found.decided_after <= 12
    assert sequential_test(pairs[: found.decided_after], alpha=0.01).decided_after == found.decided_after
    assert sequential_test(pairs[: found.decided_after - 1], alpha=0.01).decided_after is None


def test_evidence_is_a_fair_game():
    # from any past, the mean of the two next fortunes is the present one; a pair in which the arms agree changes nothing
    for past in ([], [(True, False)] * 3, [(True, False), (False, True), (True, True)] * 5):
        now = np.exp(log_evidence(past)[-1]) if past else 1.0
        after = [np.exp(log_evidence([*past, pair])[-1]) for pair in ((True, False), (False, True))]
        assert np.mean(after) == pytest.approx(now)
        assert np.exp(log_evidence([*past, (True, True)])[-1]) == pytest.approx(now)


def test_it_does_not_care_which_arm_comes_first():
    pairs = drawn(np.random.default_rng(0), first_only=0.4, second_only=0.1, pairs=50)
    assert sequential_test(pairs, alpha=0.05) == sequential_test(pairs[:, ::-1], alpha=0.05)


def test_nothing_played_and_an_impossible_level():
    assert sequential_test([], alpha=0.05) == (1.0, None)
    with pytest.raises(ValueError, match="0 < alpha < 1"):
        sequential_test([], alpha=0.0)
