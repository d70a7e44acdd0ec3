"""Frame pairs and their codes in, what the codes do to the decoder's picture out: PSNR gains, and codes read back from it."""

from typing import Any

import torch
from einops import repeat
from jaxtyping import Int64, UInt8
from torch import Tensor

from quantizer.model import Quantizer
from quantizer.sample import Pairs, in_batches

DRAWN = 256  # pairs


@torch.inference_mode()
def redraw(quantizer: Quantizer, pairs: Pairs, codes: Int64[Tensor, "b k"], batch: int) -> dict[str, Any]:
    """Decode DRAWN pairs with their own codes, another clip's, another body's, and none; read the codes of each picture.

    `gain_db` is 10·log10 of the ratio of squared errors over all pairs: what the codes' picture is better by than a copy of
    the first frame, than the picture without codes (None when the decoder was never trained to do without), than the
    picture by another pair's codes. `read_back` is the share of slots whose code is found again in the picture.
    """
    some = torch.linspace(0, len(codes) - 1, min(DRAWN, len(codes))).round().long()
    before, after, given = pairs.before[some], pairs.after[some], codes[some]
    others = given.roll(len(given) // 2, 0)
    own, other = _decoded(quantizer, before, given, batch), _decoded(quantizer, before, others, batch)
    free = _code_free(quantizer, before, batch) if quantizer.code_dropout else None
    read_back = {
        "own_scene": _same(in_batches(quantizer.codes, batch, before, own), given),
        "other_scene": _same(in_batches(quantizer.codes, batch, before, other), others),
        "chance": _chance(codes),
    }
    if len(pairs.body[some].unique()) > 1:  # a rare one may not be among these
        partners = given[other_bodies(pairs.body[some])]
        foreign = _decoded(quantizer, before, partners, batch)
        read_back["other_body"] = _same(in_batches(quantizer.codes, batch, before, foreign), partners)
    gain = {
        "copy": _gain(own, before, after),
        "no_codes": None if free is None else _gain(own, free, after),
        "other_codes": _gain(own, other, after),
    }
    return {"pairs": len(some), "gain_db": gain, "read_back": read_back}


def other_bodies(body: Int64[Tensor, "b"]) -> Int64[Tensor, "b"]:
    """For each row the number of a row with another body, each of those in turn; there must be two bodies at least."""
    partner = torch.empty_like(body)
    for number in body.unique():
        strangers = (body != number).nonzero().flatten()
        rows = (body == number).nonzero().flatten()
        partner[rows] = strangers[torch.arange(len(rows)) % len(strangers)]
    return partner


def _chance(codes: Int64[Tensor, "b k"]) -> float:
    """How often a slot shows the same code in two pairs drawn at random."""
    shares = [torch.bincount(column) / len(column) for column in codes.T]
    return sum(float(share.square().sum()) for share in shares) / len(shares)


def _decoded(quantizer: Quantizer, before: Tensor, codes: Tensor, batch: int) -> UInt8[Tensor, "b 3 h w"]:
    return in_batches(quantizer.decode, batch, before, codes).round().to(torch.uint8)


def _code_free(quantizer: Quantizer, before: Tensor, batch: int) -> UInt8[Tensor, "b 3 h w"]:
    """The picture of the decoder whose codes are hidden, as in training with `code_dropout`."""
    vectors = repeat(quantizer.decoder.no_code, "d -> b k d", b=len(before), k=quantizer.codes_per_step)
    return in_batches(quantizer.decode_vectors, batch, before, vectors).round().to(torch.uint8)


def _gain(ours: Tensor, theirs: Tensor, truth: Tensor) -> float:
    """[dB], positive where `ours` is nearer to the truth. Errors below half a step of 255 are rounding."""
    errors = [(image.float() - truth.float()).square().mean().clamp_min(1 / 12) for image in (theirs, ours)]
    return float(10 * torch.log10(errors[0] / errors[1]))


def _same(one: Int64[Tensor, "b k"], other: Int64[Tensor, "b k"]) -> float:
    return float((one == other).float().mean())
