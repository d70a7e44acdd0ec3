"""Validation batches in; how often codes were foretold, beside what needs no policy, and what a probe reads, out."""

import zlib
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor, nn

from lapa.probe import fit_ridge, r_squared, standardise
from lapa.ranks import gathered, mean_over_ranks
from lapa.stream import video_of

FOLDS, LEAST_FOLD = 3, 16  # clips are parted into so many folds; each must have so many steps
RIDGES = (1e-2, 1e-1, 1.0, 10.0)  # times the number of rows, of standardised features
SPREAD = 1e-6  # below it a feature or a truth counts as constant

Rows = dict[str, Tensor | float]


class Tally(NamedTuple):
    """Sums over validation steps, each code position by itself."""

    truth: Float[Tensor, "k n"]  # how often each code was right
    named: Float[Tensor, "k n"]  # how often it was the likeliest
    hits: Float[Tensor, "k"]  # how often both were one
    copied: Float[Tensor, "k"]  # how often the code of `gap_s` ago came again …
    going: Float[Tensor, ""]  # … of so many steps that had one


def tally(logits: Float[Tensor, "b k n"], codes: Int64[Tensor, "b k"], before: Int64[Tensor, "b k"]) -> Tally:
    """What one batch adds; `before` is −1 at a clip's start."""
    named, had = logits.argmax(dim=-1), before[:, 0] >= 0
    truth, chosen = (nn.functional.one_hot(each, logits.shape[-1]).sum(dim=0).float() for each in (codes, named))
    copied = ((before == codes) & had[:, None]).sum(dim=0).float()
    return Tally(truth, chosen, (named == codes).sum(dim=0).float(), copied, had.sum().float())


def scores(tallies: list[Tally]) -> Rows:
    """Accuracy at each position; `majority`: of naming each position's commonest code; `copy`: of "it goes on as it went",
    where it went on before; perplexity of the codes that were named, and of the true ones (n when all are as common).
    """
    total = Tally(*(mean_over_ranks(torch.stack(sums).sum(dim=0)) for sums in zip(*tallies, strict=True)))
    count = total.truth[0].sum()
    each = {"accuracy": total.hits / count, "majority": total.truth.max(dim=1).values / count}
    if total.going > 0:
        each["copy"] = total.copied / total.going
    each |= {"perplexity": _perplexity(total.named), "perplexity_true": _perplexity(total.truth)}
    rows: Rows = {f"val/{name}_{i}": value for name, values in each.items() for i, value in enumerate(values)}
    return rows | {f"val/{name}": values.mean() for name, values in each.items() if name != "accuracy"}


def _perplexity(counts: Float[Tensor, "k n"]) -> Float[Tensor, "k"]:
    share = counts / counts.sum(dim=1, keepdim=True)
    return torch.special.entr(share).sum(dim=1).exp()


class Reading(NamedTuple):
    """Hidden states of a batch, by how much the true state changed, and which clip each step is of."""

    hidden: Float[Tensor, "b f"]
    change: Float[Tensor, "b m"]
    clip: Int64[Tensor, "b"]


def reading(hidden: Float[Tensor, "b k d"], change: Float[Tensor, "b m"], keys: list[str]) -> Reading:
    """Clips of one video, whose keys agree up to the @, count as one."""
    clips = [zlib.crc32(video_of(key).encode()) for key in keys]
    return Reading(rearrange(hidden.float(), "b k d -> b (k d)"), change, torch.tensor(clips, device=hidden.device))


def probe(readings: list[Reading]) -> float | None:
    """R² of a linear map from hidden states to the change of the true state, on clips it was not fitted to.

    One third of the clips fits, one picks the ridge, one scores; None when a third has hardly any steps.
    """
    hidden, change, clip = (gathered(torch.cat(column)).double().cpu() for column in zip(*readings, strict=True))
    known = ~change.isnan().any(dim=1)
    fold = clip.long() % FOLDS
    rows = [known & (fold == i) for i in range(FOLDS)]
    if min(int(each.sum()) for each in rows) < LEAST_FOLD:
        return None
    inputs, truth = (standardise(values, rows[0], least=SPREAD) for values in (hidden, change.nan_to_num()))
    best = fit_ridge(inputs, truth, fit=rows[0], pick=rows[1], ridges=RIDGES, least=SPREAD)
    return r_squared(inputs[rows[2]] @ best, truth[rows[2]], least=SPREAD)
