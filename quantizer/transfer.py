"""Codes of several bodies in, how well a probe of motion that was fitted on one body reads another's out."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from quantizer.probe import Split, fold_of, linear_guess, split_by
from quantizer.sample import Pairs

LEAST_VIDEOS = 12  # of a body: three to score on, which is little


def transfer(coded: Float[Tensor, "b d"], pairs: Pairs) -> list[dict[str, Any]]:
    """Each ordered pair of bodies with LEAST_VIDEOS videos: R² of the one's probe on the other's held-out videos, beside
    `own`, the R² of the other's own probe on the same videos. R² is about the scored body's mean, in the fitted body's
    units: a motion that is coded alike but larger on one body costs here.
    """
    folds = {number: split for number in range(len(pairs.bodies)) if (split := _split(pairs, number)) is not None}
    found = []
    for source, ours in folds.items():
        for target, theirs in folds.items():
            if source != target:
                across = Split(ours.fit, ours.pick, theirs.score)
                scores = [linear_guess(coded, pairs.change, pairs.clip, split).r2 for split in (across, theirs)]
                names = {"from": pairs.bodies[source], "to": pairs.bodies[target]}
                found.append(names | {"r2": scores[0], "own": scores[1]})
    return found


def _split(pairs: Pairs, number: int) -> Split | None:
    """The folds of one body's rows; None when it has too few videos."""
    rows = pairs.body == number
    if len(pairs.clip[rows].unique()) < LEAST_VIDEOS:
        return None
    folds = torch.full_like(pairs.body, -1)
    folds[rows] = fold_of(pairs.clip[rows])
    return split_by(folds)
