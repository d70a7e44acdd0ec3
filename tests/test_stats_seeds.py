"""Laws of lapa.stats_seeds: a training is one observation; means, tests and shares widen with the luck of trainings."""

import numpy as np
import pytest

from lapa.stats_bootstrap import share_of_gap
from lapa.stats_seeds import mean_interval, share_over_seeds, welch


def test_a_mean_of_three_has_students_interval():
    low, high = mean_interval([0.2, 0.3, 0.4])
    assert (low, high) == pytest.approx((0.3 - 4.30265 * 0.1 / np.sqrt(3), 0.3 + 4.30265 * 0.1 / np.sqrt(3)), abs=1e-5)


def test_one_training_and_equal_ones_have_no_interval():
    assert mean_interval([0.3]) is None and mean_interval([0.3, 0.3]) is None


def test_welch_as_its_formula_says():
    first, second = np.array([0.48, 0.43, 0.45]), np.array([0.21, 0.29, 0.11, 0.2])
    found = welch(first, second)
    spread = [arm.var(ddof=1) / len(arm) for arm in (first, second)]
    freedom = sum(spread) ** 2 / sum(s * s / (len(arm) - 1) for s, arm in zip(spread, (first, second), strict=True))
    from scipy.stats import t

    width = t.ppf(0.975, freedom) * np.sqrt(sum(spread))
    assert found.difference == pytest.approx(first.mean() - second.mean())
    assert found.interval == pytest.approx((found.difference - width, found.difference + width))
    assert found.p_value == pytest.approx(2 * t.sf(found.difference / np.sqrt(sum(spread)), freedom))


def test_arms_without_spread_have_a_difference_and_no_test():
    assert welch([0.5, 0.5], [0.0, 0.0]) == (0.5, None, None)


def test_one_training_is_refused():
    with pytest.raises(ValueError, match="needs two of each arm or more; got 1 and 2"):
        welch([0.5], [0.1, 0.2])


def arm(rates, starts=400, seed=0):
    rng = np.random.default_rng(seed)
    return np.stack([rng.random(starts) < rate for rate in rates])


TASKS = [f"task {number % 8}" for number in range(400)]
DRAWN = {"draw_tasks": False, "resamples": 2000, "seed": 0}


def test_of_one_training_each_it_is_the_bootstrap_of_starts():
    trio = [arm([rate], seed=number) for number, rate in enumerate((0.45, 0.2, 0.6))]
    rows = np.stack([outcomes[0] for outcomes in trio], axis=1)
    by_task = {task: rows[[one == task for one in TASKS]].tolist() for task in set(TASKS)}
    ours, theirs = share_over_seeds(trio, TASKS, **DRAWN), share_of_gap(by_task, **DRAWN)
    assert ours.share == pytest.approx(theirs.share)
    assert ours.interval == pytest.approx(theirs.interval, abs=0.03)


def test_with_tasks_drawn_it_is_the_bootstrap_of_tasks_and_starts():
    """Tasks of unlike difficulty and size."""
    ease = np.linspace(-0.25, 0.25, 8)[np.arange(400) % 8]
    kept = np.arange(400) % 8 < np.where(np.arange(400) < 100, 8, 5)
    trio = [np.random.default_rng(n).random((1, 400)) < rate + ease for n, rate in enumerate((0.5, 0.3, 0.7))]
    trio, tasks = (
        [outcomes[:, kept] for outcomes in trio],
        [task for task, here in zip(TASKS, kept, strict=True) if here],
    )
    rows = np.stack([outcomes[0] for outcomes in trio], axis=1)
    by_task = {task: rows[[one == task for one in tasks]].tolist() for task in set(tasks)}
    drawn = {**DRAWN, "draw_tasks": True, "resamples": 8000}
    ours, theirs = share_over_seeds(trio, tasks, **drawn), share_of_gap(by_task, **drawn)
    assert ours.share == pytest.approx(theirs.share) and ours.interval == pytest.approx(theirs.interval, abs=0.04)


def test_luck_of_trainings_widens_the_share_and_means_are_what_it_is_of():
    steady = [arm([rate] * 3, seed=number) for number, rate in enumerate((0.45, 0.2, 0.6))]
    lucky = [steady[0], arm([0.0, 0.2, 0.4], seed=1), steady[2]]
    narrow, wide = (share_over_seeds(trio, TASKS, **DRAWN) for trio in (steady, lucky))
    means = [outcomes.mean() for outcomes in lucky]
    assert wide.share == pytest.approx((means[0] - means[1]) / (means[2] - means[1]))
    assert np.ptp(wide.interval) > 2 * np.ptp(narrow.interval)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    """Trainings whose true rates vary by ±8 points: 200 experiments of 4, 6 and 4 trainings."""
    rng, held = np.random.default_rng(7), 0
    for trial in range(200):
        rates = [np.clip(rng.normal(mean, 0.08, size), 0, 1) for mean, size in ((0.45, 4), (0.2, 6), (0.6, 4))]
        trio = [arm(own, seed=1000 + 3 * trial + number) for number, own in enumerate(rates)]
        low, high = share_over_seeds(trio, TASKS, draw_tasks=False, resamples=400, seed=trial).interval
        held += low <= (0.45 - 0.2) / (0.6 - 0.2) <= high
    assert 0.86 <= held / 200 <= 0.99


def test_starts_of_another_number_are_refused():
    with pytest.raises(ValueError, match=r"8 starts, but outcomes of \[400, 400\]"):
        share_over_seeds([arm([0.5]), arm([0.2])], TASKS[:8], **DRAWN)
