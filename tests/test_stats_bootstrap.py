"""Laws of the bootstrap over tasks: coverage, pairing, what tasks add, and when a share of a gap means nothing."""

import numpy as np
import pytest

from lapa.stats import wilson
from lapa.stats_bootstrap import bootstrap_difference, bootstrap_rate, bootstrap_rates, share_of_gap

SMALL = {"resamples": 2000, "seed": 0}


def outcomes(rng, rates, *, tasks=8, starts=25):
    """{task: rows of the arms' success}; a start is easy or hard for all arms, as in truth."""
    ease = rng.random((tasks, starts, 1))
    return {str(task): (ease[task] < np.array(rates)).tolist() for task in range(tasks)}


def test_equal_seeds_give_equal_numbers():
    by_task = outcomes(np.random.default_rng(0), (0.5, 0.3))
    first, same, other = (bootstrap_rates(by_task, draw_tasks=True, resamples=50, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, same) and not np.array_equal(first, other)


def test_one_task_is_the_interval_of_a_rate():
    low, high = bootstrap_rate({"one": [True] * 40 + [False] * 60}, draw_tasks=True, **SMALL)
    assert (low, high) == pytest.approx(wilson(40, 100), abs=0.015)


def test_tasks_that_differ_widen_the_interval_only_when_they_are_drawn_too():
    by_task = {"easy": [True] * 50, "middle": [True, False] * 25, "hard": [False] * 50}
    fixed = bootstrap_rate(by_task, draw_tasks=False, **SMALL)
    drawn = bootstrap_rate(by_task, draw_tasks=True, **SMALL)
    assert drawn.low < fixed.low - 0.1 and drawn.high > fixed.high + 0.1
    sure = bootstrap_rate({"easy": [True] * 50, "hard": [False] * 50}, draw_tasks=False, **SMALL)
    assert sure == (0.5, 0.5)  # these very tasks: nothing left to chance


def test_starts_that_are_shared_narrow_a_difference():
    by_task, rng = outcomes(np.random.default_rng(0), (0.5, 0.4)), np.random.default_rng(1)
    apart = {
        task: [(one, rows[i][1]) for (one, _), i in zip(rows, rng.permutation(25), strict=True)]
        for task, rows in by_task.items()
    }
    low, high = bootstrap_difference(by_task, draw_tasks=False, **SMALL)
    low_apart, high_apart = bootstrap_difference(apart, draw_tasks=False, **SMALL)
    assert 0 < high - low < 0.7 * (high_apart - low_apart)


def test_a_difference_mirrors_when_the_arms_are_swapped():
    by_task = outcomes(np.random.default_rng(0), (0.5, 0.3))
    swapped = {task: [row[::-1] for row in rows] for task, rows in by_task.items()}
    low, high = bootstrap_difference(by_task, draw_tasks=True, **SMALL)
    assert bootstrap_difference(swapped, draw_tasks=True, **SMALL) == pytest.approx((-high, -low), abs=0.02)


def test_a_difference_covers_the_truth_about_as_often_as_it_says():
    rng, held = np.random.default_rng(0), []
    for _ in range(150):  # tasks have rates of their own; on average the first arm has 0.15 more
        easy = rng.uniform(0.1, 0.7, size=20)
        by_task = {str(i): (rng.random((20, 2)) < (rate + 0.15, rate)).tolist() for i, rate in enumerate(easy)}
        low, high = bootstrap_difference(by_task, draw_tasks=True, resamples=500, seed=0)
        held.append(low <= 0.15 <= high)
    assert 0.90 <= np.mean(held) <= 1.0  # both levels drawn: rather too wide than too narrow


def test_the_share_of_a_gap_is_0_at_scratch_and_1_at_the_ceiling():
    rows = outcomes(np.random.default_rng(0), (0.3, 0.7))
    at = [{task: [(row[place], *row) for row in some] for task, some in rows.items()} for place in (0, 1)]
    scratch, ceiling = (share_of_gap(by_task, draw_tasks=True, **SMALL) for by_task in at)
    assert scratch == (0.0, (0.0, 0.0), "") and ceiling == (1.0, (1.0, 1.0), "")


def test_the_share_of_a_gap_covers_the_truth_about_as_often_as_it_says():
    rng, held = np.random.default_rng(0), []
    for _ in range(150):
        found = share_of_gap(outcomes(rng, (0.6, 0.3, 0.7)), draw_tasks=False, resamples=500, seed=0)
        held.append(found.interval.low <= 0.75 <= found.interval.high)
    assert 0.90 <= np.mean(held) <= 0.99


def test_a_gap_that_is_not_there_has_no_share_and_says_why():
    none = share_of_gap({"one": [(True, True, False)] * 9}, draw_tasks=True, **SMALL)
    assert none.share is None and none.interval is None and "ceiling has 0.0%, scratch 100.0%" in none.reason
    rows = [(False, True, False)] * 10 + [(True, False, True)] * 11 + [(False, False, False)] * 20
    shaky = share_of_gap({"one": rows}, draw_tasks=True, **SMALL)
    assert shaky.share == pytest.approx(1.0) and shaky.interval is None and "not shown" in shaky.reason


@pytest.mark.parametrize("by_task", [{}, {"one": []}, {"one": [(True,)], "two": [(True, False)]}])
def test_tasks_without_starts_and_uneven_rows_are_refused(by_task):
    with pytest.raises(ValueError, match="every task needs starts"):
        bootstrap_rates(by_task, draw_tasks=True, resamples=5, seed=0)
