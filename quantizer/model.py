"""Two frames in, k latent codes out, and from the first frame and the codes back to what happened between them."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from quantizer.blocks import Transformer, learnt, patchify, shifted, to_unit, unpatchify
from quantizer.bottlenecks import Bottleneck
from quantizer.motion import BlockMatching, Motion
from quantizer.targets import Drift, Residual, Target

Images = UInt8[Tensor, "b 3 h w"]


class Outcome(NamedTuple):
    """One pass: the codes, the bottleneck's loss, and each sample's error by target (1.0 = as bad as copying)."""

    codes: Int64[Tensor, "b k"]
    commitment: Float[Tensor, ""]
    errors: dict[str, Float[Tensor, "b"]]


class Encoder(nn.Module):
    """Sees both frames and the motion between them; k learnt queries ask what happened: → [b k dim_code].

    A token is one patch of space-time (both frames at one place, as ViViT's tubelets), so half as many tokens as two
    frames side by side, and whether a place changed can be seen without attention.
    """

    def __init__(
        self, *, patch_px: int, grid: int, dim: int, depth: int, num_heads: int, codes_per_step: int, dim_code: int
    ) -> None:
        super().__init__()
        self.patch_px, self.grid, self.num_queries = patch_px, grid, codes_per_step
        self.embed, self.embed_drift = nn.Linear(6 * patch_px**2 + 3, dim), nn.Linear(2, codes_per_step * dim)
        self.position = learnt(grid**2, dim)
        self.queries = nn.Parameter(torch.randn(codes_per_step, dim))  # far apart, or all codes would say the same
        self.transformer = Transformer(dim=dim, depth=depth, num_heads=num_heads)
        self.to_code = nn.Linear(dim, dim_code)

    def forward(self, before: Tensor, after: Tensor, motion: Motion) -> Float[Tensor, "b k d"]:
        seen = patchify(torch.cat((before, after - before), 1), self.patch_px)
        patches = torch.cat((seen, motion.flow * self.grid, motion.trust[..., None]), -1)  # motion in patches, about 1
        drift = rearrange(self.embed_drift(motion.drift * self.grid), "b (k d) -> b k d", k=self.num_queries)
        queries = self.queries + drift
        tokens = torch.cat((queries, self.embed(patches) + self.position), 1)
        return self.to_code(self.transformer(tokens)[:, : self.num_queries])


class Decoder(nn.Module):
    """Sees the first frame and the codes; says what each target asks: → {name: [b n channels]}.

    A linear map of the codes alone gives the drift. The first frame moved by it is shown beside the frame itself, so
    that what remains is to choose, at each place, between what stays, what arrives and what gets uncovered.
    """

    def __init__(
        self, *, patch_px: int, grid: int, dim: int, depth: int, num_heads: int, codes_per_step: int, dim_code: int,
        channels: Mapping[str, int],
    ) -> None:  # fmt: skip
        super().__init__()
        self.patch_px, self.num_queries = patch_px, codes_per_step
        self.embed, self.from_code = nn.Linear(6 * patch_px**2, dim), nn.Linear(dim_code, dim)
        self.position, self.slots, self.no_code = learnt(grid**2, dim), learnt(codes_per_step, dim), learnt(dim_code)
        self.transformer = Transformer(dim=dim, depth=depth, num_heads=num_heads)
        self.to_drift = nn.Linear(codes_per_step * dim_code, 2)
        self.heads = nn.ModuleDict({name: nn.Linear(dim, count) for name, count in channels.items()})
        for parameter in (*self.to_drift.parameters(), *self.heads.parameters()):
            nn.init.zeros_(parameter)  # begin by predicting that nothing happens

    def forward(
        self, before: Tensor, vectors: Tensor, hidden: Tensor, drift_scale: Tensor
    ) -> dict[str, Float[Tensor, "b n c"]]:
        """`hidden` [b] bool: samples whose codes the decoder must do without. `drift_scale`: the unit of the drift."""
        vectors = torch.where(hidden[:, None, None], self.no_code, vectors)
        drift = self.to_drift(rearrange(vectors, "b k d -> b (k d)")).float()
        moved = shifted(before, drift.detach() * drift_scale)
        patches = self.embed(patchify(torch.cat((before, moved - before), 1), self.patch_px)) + self.position
        tokens = self.transformer(torch.cat((self.from_code(vectors) + self.slots, patches), 1))[:, self.num_queries :]
        return {"drift": drift[:, None]} | {name: head(tokens).float() for name, head in self.heads.items()}


class Quantizer(nn.Module):
    """Frame pairs (uint8, square, `image_px` a side) to codes and back. See `configs/model/quantizer.yaml` for values."""

    bottleneck: Bottleneck
    motion: BlockMatching
    drift: Drift
    targets: nn.ModuleDict

    def __init__(
        self, *, image_px: int, patch_px: int, dim: int, depth_encoder: int, depth_decoder: int, num_heads: int,
        codes_per_step: int, code_dropout: float, motion: BlockMatching, bottleneck: Bottleneck, drift: Drift,
        targets: dict[str, Target],
    ) -> None:  # fmt: skip
        super().__init__()
        if image_px != patch_px * motion.grid:
            raise ValueError(f"image_px {image_px} must be patch_px {patch_px} × the motion's grid {motion.grid}")
        self.image_px, self.patch_px = image_px, patch_px
        self.codes_per_step, self.code_dropout = codes_per_step, code_dropout
        self.motion, self.bottleneck, self.drift = motion, bottleneck, drift
        self.targets = nn.ModuleDict({"drift": drift, **targets})
        self.weights = {"drift": drift.weight} | {name: target.weight for name, target in targets.items()}
        shared = dict(patch_px=patch_px, grid=motion.grid, dim=dim, num_heads=num_heads, codes_per_step=codes_per_step)
        self.encoder = Encoder(**shared, depth=depth_encoder, dim_code=bottleneck.dim)
        channels = {name: target.channels for name, target in targets.items()}
        self.decoder = Decoder(**shared, depth=depth_decoder, dim_code=bottleneck.dim, channels=channels)

    @property
    def num_codes(self) -> int:
        """Size of the codebook that all slots share."""
        return self.bottleneck.num_codes

    def loss(self, outcome: Outcome) -> Float[Tensor, ""]:
        """Weighted sum of the targets' errors, and the bottleneck's own loss."""
        errors = torch.stack([self.weights[name] * error.mean() for name, error in outcome.errors.items()])
        return outcome.commitment + errors.sum()

    def forward(self, before: Images, after: Images, hidden: Tensor | None) -> Outcome:
        """Errors of predicting what happened; where `hidden` [b] the decoder gets no codes. None: hide `code_dropout` of them."""
        first, second = self._unit(before), self._unit(after)
        motion = self.motion(first, second)
        vectors, codes, loss = self.bottleneck(self.encoder(first, second, motion))
        if hidden is None:
            hidden = torch.rand(len(codes), device=codes.device) < self.code_dropout
        truths = {name: target(first, second, motion) for name, target in self.targets.items()}
        predictions = self.decoder(first, vectors, hidden, self.drift.scale)
        errors = {name: (truths[name] - prediction).square().mean((1, 2)) for name, prediction in predictions.items()}
        return Outcome(codes, loss, errors)

    def encode(self, before: Images, after: Images) -> Float[Tensor, "b k d"]:
        """The latents before quantisation."""
        first, second = self._unit(before), self._unit(after)
        return self.encoder(first, second, self.motion(first, second)).float()

    def codes(self, before: Images, after: Images) -> Int64[Tensor, "b k"]:
        """The latent action of each pair; call it on a module in `eval` mode, otherwise the codebook learns from it."""
        return self.bottleneck(self.encode(before, after)).codes

    def decode(self, before: Images, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b 3 h w"]:
        """The second frame as far as first frame and codes tell, in [0, 255]."""
        drawn = [(name, target) for name, target in self.targets.items() if isinstance(target, Residual)]
        if not drawn:
            raise ValueError(f"the targets {list(self.targets)} describe no pixels, so there is nothing to draw")
        name, target = drawn[0]
        first = self._unit(before)
        seen = torch.zeros(len(codes), dtype=torch.bool, device=codes.device)
        prediction = self.decoder(first, self.bottleneck.lookup(codes), seen, self.drift.scale)[name]
        patches = target.paint(patchify(first, self.patch_px), prediction)
        return (unpatchify(patches, self.patch_px, self.image_px) + 0.5).clamp(0, 1) * 255

    def mean_motion(self, before: Images, after: Images) -> Float[Tensor, "b 2"]:
        """Displacement (down, right) of what moves, as a share of the image's side: what a probe without labels asks for."""
        return self.motion(self._unit(before), self._unit(after)).drift

    def _unit(self, images: Images) -> Float[Tensor, "b 3 h w"]:
        if images.shape[-2:] != (self.image_px, self.image_px):
            raise ValueError(
                f"frames are {tuple(images.shape[-2:])}; this quantizer reads {self.image_px} × {self.image_px}"
            )
        return to_unit(images)


def perplexity(codes: Int64[Tensor, "b k"], num_codes: int) -> float:
    """How many codes are in use, counted evenly: exp of the entropy of all codes' shares, from 1 to `num_codes`."""
    share = torch.bincount(codes.flatten(), minlength=num_codes) / codes.numel()
    return float(torch.exp(-(share * share.clamp_min(1e-12).log()).sum()))
