"""What a quantizer says of frame pairs in, the numbers of its report card out: code use, and probes beside their baselines."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from quantizer.model import Quantizer, perplexity_of
from quantizer.probe import LEAST_EPISODES, Scored, interval, linear_guess, mlp_guess, one_hot, resampled, split_of
from quantizer.sample import FLOW, Pairs, in_batches

THUMB_PX = 8  # features of a frame: its pixels, shrunk to this
DIFFERENCE_PX = 16  # … and of a pair, the difference of its frames shrunk to this
DENSE = ("flow_field", "frame_difference", "dense_motion")  # probes of what can be seen moving


class Reading(NamedTuple):
    """What a quantizer, and its block matching, say of each pair."""

    latents: Float[Tensor, "b d"]  # before quantisation, all slots
    codes: Int64[Tensor, "b k"]
    drift: Float[Tensor, "b 2"]
    flow: Float[Tensor, "b n"]  # displacement of each patch, how far it is trusted, and the drift


@torch.inference_mode()
def read(quantizer: Quantizer, pairs: Pairs, batch: int) -> Reading:
    """Each pair once."""
    rows = []
    for before, after in zip(pairs.before.split(batch), pairs.after.split(batch), strict=True):
        latents, motion = quantizer.encode(before, after), quantizer.motions(before, after)
        flow = torch.cat((motion.flow.flatten(1), motion.trust, motion.drift), 1)
        rows.append(Reading(latents.flatten(1), quantizer.bottleneck(latents).codes, motion.drift, flow))
    return Reading(*(torch.cat(column) for column in zip(*rows, strict=True)))


@torch.inference_mode()
def mean_motion(quantizer: Quantizer, pairs: Pairs, batch: int) -> Float[Tensor, "b 2"]:
    """What stands in for a truth that nobody knows."""
    return in_batches(lambda *frames: quantizer.motions(*frames).drift, batch, pairs.before, pairs.after)


def code_use(codes: Int64[Tensor, "b k"], uses: Int64[Tensor, "num_codes"]) -> dict[str, Any]:
    """`uses` counts each code over all labels; slot by slot, and the distinct steps, of the probed pairs only."""
    slots = [torch.bincount(column, minlength=len(uses)) for column in codes.T]
    return {
        "perplexity": perplexity_of(uses),
        "codes_used": int((uses > 0).sum()),
        "num_codes": len(uses),
        "unused": (uses == 0).nonzero().flatten().tolist(),
        "slots": [
            {"perplexity": perplexity_of(count), "unused": (count == 0).nonzero().flatten().tolist()} for count in slots
        ],
        "distinct_steps": len(codes.unique(dim=0)),
        "pairs": len(codes),
    }


def used_columns(codes: Int64[Tensor, "b k"], num_codes: int) -> Float[Tensor, "b d"]:
    """One-hot codes without the columns of codes that never occur: a probe reads nothing from those."""
    coded = one_hot(codes, num_codes)
    return coded[:, coded.any(0)]


def shuffled(coded: Float[Tensor, "b d"], seed: int) -> Float[Tensor, "b d"]:
    """The same rows in another order: a probe of them finds nothing but luck."""
    return coded[torch.randperm(len(coded), generator=torch.Generator().manual_seed(seed))]


def probes(
    reading: Reading,
    coded: Float[Tensor, "b d"],
    pairs: Pairs,
    seed: int,
    untrained: Float[Tensor, "b d"] | None = None,
) -> dict[str, Any] | None:
    """R² of the true motion on held-out episodes, from codes, from what codes must beat, and from what they could reach.

    `probe`: R² by name, `interval`: its 95 % bootstrap over episodes. Baselines are given the better of a linear and an
    MLP probe. `carried`: R² of the codes' linear probe as a share of the linearly decodable motion, which is the best R² of
    a linear probe of dense features of the pair (DENSE). `untrained`: codes of an untrained encoder, one-hot.
    None below LEAST_EPISODES episodes: nothing can be held out.
    """
    if len(pairs.clip.unique()) < LEAST_EPISODES:
        return None
    linear, small = _scored(reading, coded, pairs, seed, untrained)
    better = {name: max(linear[name], small[name], key=lambda scored: scored.r2) for name in BASELINES if name in small}
    found = {"codes_linear": linear["codes"], "codes_mlp": small["codes"], "latents_linear": linear["latents"]}
    found |= {"latents_mlp": small["latents"]} | {name: linear[name] for name in DENSE} | better
    if "codes_and_state" in small:
        found["codes_and_state"] = small["codes_and_state"]
    if untrained is not None:
        found["untrained"] = linear["untrained"]
    draws = {name: resampled(scored, seed) for name, scored in found.items()}
    best = max(DENSE, key=lambda name: found[name].r2)
    limit = found[best].r2
    carried = None if limit <= 0 else {
        "of": best, "r2": limit, "share": found["codes_linear"].r2 / limit,
        "interval": interval(draws["codes_linear"] / draws[best].clamp_min(1e-3)),
    }  # fmt: skip
    scores = {name: scored.r2 for name, scored in found.items()}
    return {"probe": scores, "interval": {name: interval(values) for name, values in draws.items()}, "carried": carried}


BASELINES = ("state_only", "first_frame", "next_frame", "both_frames", "shuffled")


def _scored(
    reading: Reading, coded: Tensor, pairs: Pairs, seed: int, untrained: Tensor | None
) -> tuple[dict[str, Scored], dict[str, Scored]]:
    """Linear and MLP probes by what they read."""
    before, after = (F.adaptive_avg_pool2d(x.float() / 255, THUMB_PX).flatten(1) for x in (pairs.before, pairs.after))
    fine = [F.adaptive_avg_pool2d(x.float() / 255, DIFFERENCE_PX).flatten(1) for x in (pairs.before, pairs.after)]
    difference = fine[1] - fine[0]
    seen = {"codes": coded, "latents": reading.latents, "first_frame": before, "next_frame": after}
    seen |= {"both_frames": torch.cat((before, after), 1), "shuffled": shuffled(coded, seed)}
    if pairs.truth != FLOW:
        seen |= {"state_only": pairs.start, "codes_and_state": torch.cat((coded, pairs.start), 1)}
    dense = dict(zip(DENSE, (reading.flow, difference, torch.cat((reading.flow, difference), 1)), strict=True))
    dense |= {} if untrained is None else {"untrained": untrained}
    split = split_of(pairs.clip)
    linear = {name: linear_guess(x, pairs.change, pairs.clip, split) for name, x in (seen | dense).items()}
    return linear, {name: mlp_guess(x, pairs.change, pairs.clip, split, seed) for name, x in seen.items()}
