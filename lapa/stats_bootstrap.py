"""Outcomes of arms by task in → rates, differences and shares of a gap with intervals that know that tasks differ."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from lapa.stats import CONFIDENCE, Interval

# {task: one row a start, in it the success of each arm}: arms that met the same starts stay together
Outcomes = Mapping[str, Sequence[Sequence[bool]]]


class GapShare(NamedTuple):
    """(arm - scratch) / (ceiling - scratch): 0 at scratch's rate, 1 at the ceiling's. None where it means nothing, and
    `reason` says why.
    """

    share: float | None
    interval: Interval | None
    reason: str

    @property
    def shown(self) -> float | None:
        """The share where there is a gap for sure, None where there may be none and it means nothing."""
        return None if self.interval is None else self.share


def bootstrap_rate(by_task: Mapping[str, Sequence[bool]], *, draw_tasks: bool, resamples: int, seed: int) -> Interval:
    """95 % percentile interval of one arm's rate over all episodes; for the arguments see `bootstrap_rates`."""
    alone = {task: [(won,) for won in outcomes] for task, outcomes in by_task.items()}
    return _percentiles(bootstrap_rates(alone, draw_tasks=draw_tasks, resamples=resamples, seed=seed)[:, 0])


def bootstrap_difference(by_task: Outcomes, *, draw_tasks: bool, resamples: int, seed: int) -> Interval:
    """The same of (first arm's rate - second arm's rate) on paired starts, in [-1, 1]."""
    first, second = bootstrap_rates(by_task, draw_tasks=draw_tasks, resamples=resamples, seed=seed).T
    return _percentiles(first - second)


def share_of_gap(by_task: Outcomes, *, draw_tasks: bool, resamples: int, seed: int) -> GapShare:
    """How much of the gap between scratch and ceiling an arm closes; rows of `by_task` are (arm, scratch, ceiling).

    A ratio has an interval only where its denominator is above 0 for sure: in 97.5 % of the resamples or more. What is
    left of those where it is not counts as beyond every bound.
    """
    rates = bootstrap_rates(by_task, draw_tasks=draw_tasks, resamples=resamples, seed=seed)
    arm, scratch, ceiling = np.mean([row for rows in by_task.values() for row in rows], axis=0).tolist()
    return share_of(arm, scratch, ceiling, rates)


def share_of(arm: float, scratch: float, ceiling: float, rates: Float[np.ndarray, "r 3"]) -> GapShare:
    """The share at three rates, with the interval that resamples of the three give it; see `share_of_gap`."""
    if ceiling <= scratch:
        return GapShare(None, None, f"no gap to close: the ceiling has {ceiling:.1%}, scratch {scratch:.1%}")
    share = (arm - scratch) / (ceiling - scratch)
    gain, gap = rates[:, 0] - rates[:, 1], rates[:, 2] - rates[:, 1]
    if (closed := float(np.mean(gap <= 0))) > (1 - CONFIDENCE) / 2:
        return GapShare(share, None, f"the gap itself is not shown: it is 0 or less in {closed:.1%} of the resamples")
    shares = np.divide(gain, gap, out=np.copysign(np.inf, gain), where=gap > 0)
    return GapShare(share, _percentiles(shares), "")


def bootstrap_rates(by_task: Outcomes, *, draw_tasks: bool, resamples: int, seed: int) -> Float[np.ndarray, "r arms"]:
    """Each arm's success rate over all episodes, in [0, 1], in `resamples` samples drawn again with replacement: starts
    within their task, with the outcomes of all arms; equal seeds give equal numbers.

    draw_tasks: the tasks are drawn again too, for a claim about tasks of this kind instead of these very ones (few tasks:
    too narrow an interval); Davison and Hinkley, Bootstrap Methods and their Application (1997), section 3.8.
    Raises ValueError when there is no task, a task has no start, or the rows differ in length.
    """
    counts, wins = _patterns(by_task)
    rng, tasks = np.random.default_rng(seed), len(counts)
    drawn = np.tile(np.arange(tasks), (resamples, 1))
    if draw_tasks:
        drawn = rng.integers(tasks, size=drawn.shape)
    starts = counts.sum(axis=1)
    # drawing starts of a task again is drawing from how often each pattern of outcomes occurs in it
    pooled = rng.multinomial(starts[drawn], (counts / starts[:, None])[drawn]).sum(axis=1)
    return pooled @ wins / pooled.sum(axis=1, keepdims=True)


def _patterns(by_task: Outcomes) -> tuple[Int[np.ndarray, "tasks p"], Int[np.ndarray, "p arms"]]:
    """How often each pattern of outcomes occurs in each task, and which arms succeed in a pattern."""
    lengths = {len(row) for rows in by_task.values() for row in rows}
    if not by_task or not all(by_task.values()) or len(lengths) != 1:
        starts = {task: len(rows) for task, rows in by_task.items()}
        raise ValueError(f"every task needs starts, and every start the same arms; got starts {starts}, arms {lengths}")
    arms = np.arange(lengths.pop())
    codes = [np.asarray(rows, bool) @ (1 << arms) for rows in by_task.values()]
    patterns = np.arange(1 << len(arms))
    return np.stack([np.bincount(code, minlength=len(patterns)) for code in codes]), patterns[:, None] >> arms & 1


def _percentiles(values: Float[np.ndarray, "r"]) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    # no value between two that were drawn: one of them may be infinite
    low, high = np.quantile(values, [tail, 1 - tail], method="inverted_cdf")
    return Interval(float(low), float(high))
