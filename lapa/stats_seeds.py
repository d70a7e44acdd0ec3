"""Rates of several trainings in → how much of a result is the luck of a training: means, differences and shares of a gap."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import ttest_1samp, ttest_ind

from lapa.stats import CONFIDENCE, Interval
from lapa.stats_bootstrap import GapShare, share_of


class Difference(NamedTuple):
    """Mean of the first arm's trainings minus that of the second's, rates in [0, 1]. Without spread in either arm nothing
    can be said of luck: interval and p are None.
    """

    difference: float
    interval: Interval | None
    p_value: float | None


def mean_interval(rates: Sequence[float]) -> Interval | None:
    """Student's 95 % interval of the mean over trainings; None of fewer than two, and of equal ones."""
    if len(rates) < 2 or not np.ptp(rates):
        return None
    found = ttest_1samp(rates, 0.0).confidence_interval(CONFIDENCE)
    return Interval(float(found.low), float(found.high))


def welch(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Welch's t-test over trainings: a training is one observation, however many episodes its rate is of.

    Of these very starts, other trainings; a paired test of single policies says the converse. Biometrika 34 (1947), 28-35.
    Raises ValueError when an arm has fewer than two trainings.
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(f"a test over trainings needs two of each arm or more; got {len(first)} and {len(second)}")
    difference = float(np.mean(first) - np.mean(second))
    if not np.ptp(first) and not np.ptp(second):
        return Difference(difference, None, None)
    found = ttest_ind(first, second, equal_var=False)
    low, high = found.confidence_interval(CONFIDENCE)
    return Difference(difference, Interval(float(low), float(high)), float(found.pvalue))


def share_over_seeds(
    arms: Sequence[Bool[np.ndarray, "seeds starts"]], tasks: Sequence[str], *, draw_tasks: bool, resamples: int, seed: int,
) -> GapShare:  # fmt: skip
    """Share of the gap that an arm closes, by its trainings' mean; `arms` are those of the arm, of scratch and of the ceiling.

    Bootstrap of both lucks: starts again within their task (`tasks`: each start's; draw_tasks: and the tasks), with the
    outcomes of all trainings; and of an arm's n trainings n - 1, which makes up for how few they are (Rao and Wu, Journal of
    the American Statistical Association 83 (1988), 231-241). Few trainings still give too narrow an interval: of four it
    covers about 90 % (tests/test_stats_seeds.py). Of one training nothing is drawn. Raises ValueError when the starts differ
    in number.
    """
    if {outcomes.shape[1] for outcomes in arms} != {len(tasks)}:
        raise ValueError(f"{len(tasks)} starts, but outcomes of {[outcomes.shape[1] for outcomes in arms]}")
    rng = np.random.default_rng(seed)
    starts = _starts(tasks, draw_tasks, resamples, rng)
    rates = [np.einsum("rs,ks,rk->r", starts, outcomes, _trainings(len(outcomes), resamples, rng)) for outcomes in arms]
    arm, scratch, ceiling = (float(outcomes.mean()) for outcomes in arms)
    return share_of(arm, scratch, ceiling, np.stack(rates, axis=1))


def _starts(
    tasks: Sequence[str], draw_tasks: bool, resamples: int, rng: np.random.Generator
) -> Float[np.ndarray, "r starts"]:
    """The weight of each start in each resample: a task is there once, or as often as it was drawn, each time with starts
    of its own."""
    names = list(dict.fromkeys(tasks))
    times = np.ones((resamples, len(names)), int)
    if draw_tasks:
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    weights = np.empty((resamples, len(tasks)))
    for task, drawn in zip(names, times.T, strict=True):
        places = np.flatnonzero(np.asarray(tasks) == task)
        weights[:, places] = rng.multinomial(drawn * len(places), np.full(len(places), 1 / len(places)))
    return weights / weights.sum(axis=1, keepdims=True)


def _trainings(count: int, resamples: int, rng: np.random.Generator) -> Float[np.ndarray, "r seeds"]:
    drawn = max(count - 1, 1)
    return rng.multinomial(drawn, np.full(count, 1 / count), size=resamples) / drawn
