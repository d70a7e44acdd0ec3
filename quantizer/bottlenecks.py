"""Continuous latents [b k d] in, quantised latents, codes and a loss out: one face for vector-quantize-pytorch's classes."""

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor, nn
from vector_quantize_pytorch import FSQ, ResidualVQ, VectorQuantize


class Quantised(NamedTuple):
    """What a bottleneck answers: vectors for the decoder, codes in [0, num_codes), and its own loss (a scalar)."""

    vectors: Float[Tensor, "b k d"]
    codes: Int64[Tensor, "b k"]
    loss: Float[Tensor, ""]


class Bottleneck(nn.Module):
    """What every bottleneck offers: `num_codes` codes a slot, named by vectors of `dim` numbers."""

    num_codes: int
    dim: int

    def forward(self, latents: Float[Tensor, "b k d"]) -> Quantised:
        """Quantise; in training mode this may also teach the codebook."""
        raise NotImplementedError

    def lookup(self, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
        """The vectors that `forward` gives with these codes; ValueError for codes that do not exist."""
        raise NotImplementedError


class Vq(Bottleneck):
    """Nearest row of a learnt codebook (moving averages, rotation trick); rows hardly used are put on live latents.

    Build it in Lightning's `configure_model`: the library decides there whether ranks share their codebook.
    """

    def __init__(
        self, *, num_codes: int, dim: int, decay: float, commitment: float, least_uses: float, kmeans_iters: int
    ) -> None:
        super().__init__()
        self.num_codes, self.dim = num_codes, dim
        self.inner = VectorQuantize(
            dim=dim, codebook_size=num_codes, decay=decay, commitment_weight=commitment, rotation_trick=True,
            threshold_ema_dead_code=least_uses, kmeans_init=kmeans_iters > 0, kmeans_iters=kmeans_iters,
        )  # fmt: skip

    @torch.compiler.disable  # the library's replacement of dead codes breaks the graph
    def forward(self, latents: Float[Tensor, "b k d"]) -> Quantised:
        vectors, codes, loss = self.inner(latents.float())
        return Quantised(vectors, codes.long(), loss.sum())

    def lookup(self, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
        """The codebook rows of some codes."""
        return self.inner.get_output_from_indices(_in_range(codes, self.num_codes))


class Rvq(Bottleneck):
    """Coarse to fine: the first code names the nearest row to the mean latent, each further code the nearest row of a
    codebook of its own to what is left. So no two slots can say the same, and num_codes^k points are within reach.
    """

    def __init__(
        self, *, num_codes: int, num_slots: int, dim: int, decay: float, commitment: float, least_uses: float
    ) -> None:
        super().__init__()
        self.num_codes, self.dim = num_codes, dim
        self.inner = ResidualVQ(
            dim=dim, codebook_size=num_codes, num_quantizers=num_slots, decay=decay, commitment_weight=commitment,
            rotation_trick=True, threshold_ema_dead_code=least_uses,
        )  # fmt: skip

    @torch.compiler.disable  # as Vq
    def forward(self, latents: Float[Tensor, "b k d"]) -> Quantised:
        total, codes, loss, rows = self.inner(latents.float().mean(1, keepdim=True), return_all_codes=True)
        through = (total - total.detach()) / latents.shape[1]  # zero; carries the gradient of the sum of all rows
        return Quantised(rearrange(rows, "k b 1 d -> b k d") + through, codes[:, 0].long(), loss.sum())

    def lookup(self, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
        """The rows of some codes, each from its slot's codebook."""
        rows = self.inner.get_codes_from_indices(_in_range(codes, self.num_codes)[:, None])
        return rearrange(rows, "k b 1 d -> b k d")


class Fsq(Bottleneck):
    """Rounds each of len(levels) channels to levels[i] values (arXiv 2309.15505): no codebook to learn or to lose."""

    def __init__(self, *, levels: list[int]) -> None:
        super().__init__()
        self.inner = FSQ(levels=list(levels), preserve_symmetry=True)
        self.num_codes, self.dim = int(self.inner.codebook_size), len(levels)

    def forward(self, latents: Float[Tensor, "b k d"]) -> Quantised:
        vectors, codes = self.inner(latents.float())
        return Quantised(vectors, codes.long(), latents.new_zeros((), dtype=torch.float32))

    def lookup(self, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
        """The grid points of some codes."""
        return self.inner.indices_to_codes(_in_range(codes, self.num_codes))


def _in_range(codes: Tensor, num_codes: int) -> Tensor:
    if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < num_codes:
        raise ValueError(f"codes lie in [{codes.min()}, {codes.max()}]; this codebook has 0 … {num_codes - 1}")
    return codes
