"""Two frames in, k latent codes out, and from the first frame and the codes back to what happened between them."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from lapa.ranks import mean_over_ranks
from quantizer.augment import Jitter
from quantizer.blocks import patchify, to_unit, unpatchify
from quantizer.bottlenecks import Bottleneck
from quantizer.camera import Steady
from quantizer.motion import BlockMatching, Motion
from quantizer.networks import Decoder, Encoder
from quantizer.targets import Drift, Ema, Residual, Seen, Target

Images = UInt8[Tensor, "b 3 h w"]


class Outcome(NamedTuple):
    """One pass: the codes, the bottleneck's loss, and each sample's error by target (1.0 = as bad as copying)."""

    codes: Int64[Tensor, "b k"]
    commitment: Float[Tensor, ""]
    errors: dict[str, Float[Tensor, "b"]]


class Quantizer(nn.Module):
    """Frame pairs (uint8, square, `image_px` a side) to codes and back. See `configs/model/quantizer.yaml` for values."""

    bottleneck: Bottleneck
    motion: BlockMatching
    drift: Drift
    targets: nn.ModuleDict

    def __init__(
        self, *, image_px: int, patch_px: int, dim: int, depth_encoder: int, depth_decoder: int, num_heads: int,
        codes_per_step: int, code_dropout: float, reversal: float, jitter: Jitter, steady: Steady, motion: BlockMatching,
        bottleneck: Bottleneck, drift: Drift, targets: dict[str, Target],
    ) -> None:  # fmt: skip
        super().__init__()
        if image_px != patch_px * motion.grid:
            raise ValueError(f"image_px {image_px} must be patch_px {patch_px} × the motion's grid {motion.grid}")
        self.image_px, self.patch_px = image_px, patch_px
        self.codes_per_step, self.code_dropout, self.reversal = codes_per_step, code_dropout, reversal
        self.jitter, self.steady, self.motion = jitter, steady, motion
        self.bottleneck, self.drift = bottleneck, drift
        used = {"drift": drift} | {name: target for name, target in targets.items() if target.weight > 0}
        self.targets = nn.ModuleDict(used)
        self.readers = {name: target.read for name, target in used.items()}
        self.weights = {name: target.weight for name, target in used.items()} | {"reversal": reversal}
        shared = dict(patch_px=patch_px, grid=motion.grid, dim=dim, num_heads=num_heads, codes_per_step=codes_per_step)
        self.encoder = Encoder(**shared, depth=depth_encoder, dim_code=bottleneck.dim, votes=motion.votes_side**2)
        readouts = {name: target.outputs for name, target in used.items() if target.from_codes}
        outputs = {name: target.outputs for name, target in used.items() if not target.from_codes}
        self.decoder = Decoder(
            **shared, depth=depth_decoder, dim_code=bottleneck.dim, readouts=readouts, outputs=outputs
        )
        self.copies = [target for target in used.values() if isinstance(target, Ema)]
        for copy in self.copies:
            copy.bind(self.encoder)

    @property
    def num_codes(self) -> int:
        """Size of the codebook that all slots share."""
        return self.bottleneck.num_codes

    @property
    def draws(self) -> bool:
        """Whether some target describes pixels, so that `decode` can draw."""
        return any(isinstance(target, Residual) for target in self.targets.values())

    def loss(self, outcome: Outcome) -> Float[Tensor, ""]:
        """Weighted sum of the targets' errors, and the bottleneck's own loss."""
        errors = torch.stack([self.weights[name] * error.mean() for name, error in outcome.errors.items()])
        return outcome.commitment + errors.sum()

    def forward(
        self, before: Images, after: Images, hidden: Tensor | None, label: Float[Tensor, "b m"] | None = None
    ) -> Outcome:
        """Errors of predicting what happened; where `hidden` [b] the decoder gets no codes. None: hide `code_dropout` of them.

        `label`: true changes of the state for the target `labels`, NaN where there are none.
        """
        first, second = self._unit(before), self._unit(after)
        if self.training:
            first, second = self.jitter(first, second)
            for copy in self.copies:
                copy.follow(self.encoder)
        first, motion = self._steadied(first, second)
        latents = self.encoder(first, second, motion)
        vectors, codes, loss = self.bottleneck(latents)
        if hidden is None:
            hidden = torch.rand(len(codes), device=codes.device) < self.code_dropout
        seen = Seen(first, second, motion, label)
        predictions = self._predict(first, vectors, hidden)
        errors = {name: _error(self.targets[name](seen), predictions[name]) for name in predictions}
        if self.reversal:
            errors["reversal"] = self._sameness(latents, first, second)
        return Outcome(codes, loss, errors)

    def encode(self, before: Images, after: Images) -> Float[Tensor, "b k d"]:
        """The latents before quantisation."""
        second = self._unit(after)
        first, motion = self._steadied(self._unit(before), second)
        return self.encoder(first, second, motion).float()

    def codes(self, before: Images, after: Images) -> Int64[Tensor, "b k"]:
        """The latent action of each pair; call it on a module in `eval` mode, otherwise the codebook learns from it."""
        return self.bottleneck(self.encode(before, after)).codes

    def decode(self, before: Images, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b 3 h w"]:
        """The second frame as far as first frame and codes tell, in [0, 255]."""
        return self.decode_vectors(before, self.bottleneck.lookup(codes))

    def decode_vectors(self, before: Images, vectors: Float[Tensor, "b k d"]) -> Float[Tensor, "b 3 h w"]:
        """As `decode`, from the vectors that a bottleneck gives."""
        if not self.draws:
            raise ValueError(f"the targets {list(self.targets)} describe no pixels, so there is nothing to draw")
        name, target = next((n, t) for n, t in self.targets.items() if isinstance(t, Residual))
        first = self._unit(before)
        hidden = torch.zeros(len(vectors), dtype=torch.bool, device=vectors.device)
        patches = target.paint(patchify(first, self.patch_px), self._predict(first, vectors, hidden)[name])
        return (unpatchify(patches, self.patch_px, self.image_px) + 0.5).clamp(0, 1) * 255

    def motions(self, before: Images, after: Images) -> Motion:
        """What block matching sees, without a learnt part; its `drift` is what a probe without labels asks for."""
        return self._steadied(self._unit(before), self._unit(after))[1]

    def _steadied(self, first: Tensor, second: Tensor) -> tuple[Tensor, Motion]:
        first = self.steady(first, second)
        return first, self.motion(first, second)

    def _predict(self, first: Tensor, vectors: Tensor, hidden: Tensor) -> dict[str, Float[Tensor, "b n c"]]:
        """What each target should be, in the targets' own units."""
        answers, arrives = self.decoder(first, vectors, hidden, self.drift.scale)
        return {name: read(answers[name], arrives) for name, read in self.readers.items()}

    def _sameness(self, latents: Tensor, first: Tensor, second: Tensor) -> Float[Tensor, "b"]:
        """How alike a pair and the same pair backwards look in latents: 1 the same, 0 opposite."""
        backwards = self.encoder(second, first, self.motion(second, first))
        return (1 + F.cosine_similarity(latents.float().flatten(1), backwards.float().flatten(1))) / 2

    def _unit(self, images: Images) -> Float[Tensor, "b 3 h w"]:
        if images.shape[-2:] != (self.image_px, self.image_px):
            raise ValueError(
                f"frames are {tuple(images.shape[-2:])}; this quantizer reads {self.image_px} × {self.image_px}"
            )
        return to_unit(images)


def _error(truth: Float[Tensor, "b n c"], prediction: Float[Tensor, "b n c"]) -> Float[Tensor, "b"]:
    """Mean square of each sample. Where the truth is not known it is zero, and the others of all ranks count for more."""
    known = truth.isfinite().all(-1).all(-1)
    squares = torch.where(known[:, None, None], truth - prediction, 0.0).square().mean((1, 2))
    return squares / mean_over_ranks(known.float().mean()).clamp_min(1 / len(known))


def perplexity(codes: Int64[Tensor, "b k"], num_codes: int) -> float:
    """How many codes are in use, counted evenly: exp of the entropy of all codes' shares, from 1 to `num_codes`."""
    return perplexity_of(torch.bincount(codes.flatten(), minlength=num_codes))


def perplexity_of(uses: Int64[Tensor, "num_codes"]) -> float:
    """As `perplexity`, from how often each code is used."""
    share = uses / uses.sum()
    return float(torch.exp(-(share * share.clamp_min(1e-12).log()).sum()))
