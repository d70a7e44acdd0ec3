"""Continuous latents [b k d] in, vectors for the decoder, codes and a loss out: one face for eight ways to quantise."""

from typing import Any, NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F
from vector_quantize_pytorch import FSQ, LFQ, ResidualVQ, SimVQ, VectorQuantize

from lapa.ranks import gathered, num_ranks


class Quantised(NamedTuple):
    """What a bottleneck answers: vectors for the decoder, codes in [0, num_codes), and its own loss (a scalar)."""

    vectors: Float[Tensor, "b k d"]
    codes: Int64[Tensor, "b k"]
    loss: Float[Tensor, ""]


class Bottleneck(nn.Module):
    """What every bottleneck offers: `num_codes` codes a slot, named by vectors of `dim` numbers."""

    num_codes: int
    dim: int

    @torch.compiler.disable  # replacing dead codes depends on data and breaks the graph; what remains is cheap
    def forward(self, latents: Float[Tensor, "b k d"]) -> Quantised:
        """Quantise, in fp32; in training mode this may also teach the codebook."""
        with torch.autocast(latents.device.type, enabled=False):
            return self.quantise(latents.float())

    def quantise(self, latents: Float[Tensor, "b k d"]) -> Quantised:
        """What `forward` does, for each kind."""
        raise NotImplementedError

    def lookup(self, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
        """The vectors that `forward` gives with these codes in evaluation; ValueError for codes that do not exist."""
        raise NotImplementedError


class Library(Bottleneck):
    """What most of vector-quantize-pytorch's classes answer alike; `inner` is one of them."""

    inner: Any  # the library's classes have no common type

    def quantise(self, latents: Float[Tensor, "b k d"]) -> Quantised:
        vectors, codes, loss = self.inner(latents)
        return Quantised(vectors, codes.long(), loss.sum())

    def lookup(self, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
        """What the library keeps for some codes: rows, mapped rows, grid points, signs."""
        return self.inner.indices_to_codes(_in_range(codes, self.num_codes))


class Vq(Library):
    """Nearest row of a learnt codebook (moving averages, rotation trick); rows hardly used are put on live latents.

    Build it in Lightning's `configure_model`: only there it is known whether there are ranks to share the codebook with.
    """

    def __init__(
        self, *, num_codes: int, dim: int, decay: float, commitment: float, least_uses: float, kmeans_iters: int
    ) -> None:
        super().__init__()
        self.num_codes, self.dim = num_codes, dim
        self.inner = VectorQuantize(
            dim=dim, codebook_size=num_codes, decay=decay, commitment_weight=commitment, rotation_trick=True,
            threshold_ema_dead_code=least_uses, kmeans_init=kmeans_iters > 0, kmeans_iters=kmeans_iters,
            sync_codebook=num_ranks() > 1,
        )  # fmt: skip

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
            rotation_trick=True, threshold_ema_dead_code=least_uses, sync_codebook=num_ranks() > 1,
        )  # fmt: skip

    def quantise(self, latents: Float[Tensor, "b k d"]) -> Quantised:
        total, codes, loss, rows = self.inner(latents.mean(1, keepdim=True), return_all_codes=True)
        through = (total - total.detach()) / latents.shape[1]  # zero; carries the gradient of the sum of all rows
        return Quantised(rearrange(rows, "k b 1 d -> b k d") + through, codes[:, 0].long(), loss.sum())

    def lookup(self, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
        """The rows of some codes, each from its slot's codebook."""
        rows = self.inner.get_codes_from_indices(_in_range(codes, self.num_codes)[:, None])
        return rearrange(rows, "k b 1 d -> b k d")


class Nsvq(Bottleneck):
    """Training adds noise as long as the quantisation error instead of copying gradients (arXiv 2204.01708), as LAPA does.

    Rows whose moving average of uses falls below `least_uses` go to live latents far from every row: to the same ones on
    every rank, and never to a copy of a row in use.
    """

    uses: Tensor

    def __init__(self, *, num_codes: int, dim: int, decay: float, least_uses: float) -> None:
        super().__init__()
        self.num_codes, self.dim, self.decay, self.least_uses = num_codes, dim, decay, least_uses
        self.rows = nn.Parameter(torch.randn(num_codes, dim))
        self.register_buffer("uses", torch.full((num_codes,), 2.0 * least_uses))  # a new row has time to be found

    def quantise(self, latents: Float[Tensor, "b k d"]) -> Quantised:
        codes = torch.cdist(latents, self.rows[None]).argmin(-1)
        chosen = self.rows[codes]
        if not self.training:
            return Quantised(chosen, codes, latents.new_zeros(()))
        noise = F.normalize(torch.randn_like(latents), dim=-1)
        vectors = latents + (latents - chosen).norm(dim=-1, keepdim=True) * noise
        self._restart(latents.detach(), codes)
        return Quantised(vectors, codes, latents.new_zeros(()))

    def lookup(self, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
        """The codebook rows of some codes."""
        return self.rows[_in_range(codes, self.num_codes)]

    @torch.no_grad()
    def _restart(self, latents: Float[Tensor, "b k d"], codes: Int64[Tensor, "b k"]) -> None:
        live = gathered(rearrange(latents, "b k d -> (b k) d"))
        now = torch.bincount(gathered(codes.flatten()), minlength=self.num_codes).float()
        self.uses.lerp_(now, 1 - self.decay)
        dead = (self.uses < self.least_uses).nonzero()[: len(live) // 2, 0]
        if len(dead):
            order = torch.cdist(live, self.rows).amin(-1).argsort()
            # Spread over the farther half: the farthest alone are outliers, where a row would soon be dead again.
            chosen = torch.linspace((len(order) - 1) / 2, len(order) - 1, len(dead)).round().long()
            self.rows[dead] = live[order[chosen.to(order.device)]]
            self.uses[dead] = 2.0 * self.least_uses


class SimVq(Library):
    """A frozen random codebook seen through a learnt linear map (arXiv 2411.02038): all rows move together, none dies."""

    def __init__(self, *, num_codes: int, dim: int, commitment: float) -> None:
        super().__init__()
        self.num_codes, self.dim = num_codes, dim
        self.inner = SimVQ(dim=dim, codebook_size=num_codes, rotation_trick=True, commitment_weight=commitment)


class Standard(nn.Module):
    """Shift and scale of each slot's channels, taken from the first batch of training and learnt on (ActNorm, arXiv
    1807.03039). A fixed grid must lie where the latents are, which at first hardly differ from one constant a slot.
    """

    ready: Tensor

    def __init__(self, num_slots: int, dim: int) -> None:
        super().__init__()
        self.shift, self.log_scale = (nn.Parameter(torch.zeros(num_slots, dim)) for _ in range(2))
        self.register_buffer("ready", torch.zeros((), dtype=torch.bool))

    def forward(self, latents: Float[Tensor, "b k d"]) -> Float[Tensor, "b k d"]:
        if self.training and not self.ready:
            self._take(gathered(latents.detach()))
        return (latents - self.shift) * self.log_scale.exp()

    @torch.no_grad()
    def _take(self, rows: Float[Tensor, "b k d"]) -> None:
        self.shift.copy_(rows.mean(0))
        self.log_scale.copy_(-rows.std(0, unbiased=False).clamp_min(1e-6).log())
        self.ready.fill_(True)


class Fsq(Library):
    """Rounds each of len(levels) channels to levels[i] values (arXiv 2309.15505): no codebook to learn or to lose."""

    def __init__(self, *, levels: list[int], num_slots: int) -> None:
        super().__init__()
        self.inner = FSQ(levels=list(levels), preserve_symmetry=True)
        self.num_codes, self.dim = int(self.inner.codebook_size), len(levels)
        self.standard = Standard(num_slots, self.dim)

    def quantise(self, latents: Float[Tensor, "b k d"]) -> Quantised:
        vectors, codes = self.inner(self.standard(latents))
        return Quantised(vectors, codes.long(), latents.new_zeros(()))


class Lfq(Library):
    """The signs of `bits` channels (arXiv 2310.05737); an entropy term asks for sure single codes and even use of all."""

    def __init__(self, *, bits: int, num_slots: int, entropy: float, diversity: float, commitment: float) -> None:
        super().__init__()
        self.num_codes, self.dim = 2**bits, bits
        self.standard = Standard(num_slots, bits)
        self.inner = LFQ(
            dim=bits, codebook_size=2**bits, entropy_loss_weight=entropy, diversity_gamma=diversity,
            commitment_loss_weight=commitment,
        )  # fmt: skip

    def quantise(self, latents: Float[Tensor, "b k d"]) -> Quantised:
        return super().quantise(self.standard(latents))


class Gaussian(Bottleneck):
    """For research: continuous latents, paid for at `beta` a nat (β-VAE). Not codes: every slot has the one code 0."""

    num_codes = 1

    def __init__(self, *, dim: int, beta: float) -> None:
        super().__init__()
        self.dim, self.beta = dim, beta
        self.to_mean_and_log_variance = nn.Linear(dim, 2 * dim)

    def quantise(self, latents: Float[Tensor, "b k d"]) -> Quantised:
        mean, log_variance = self.to_mean_and_log_variance(latents).chunk(2, -1)
        log_variance = log_variance.clamp(-10, 10)
        nats = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum((1, 2)).mean()
        noise = torch.randn_like(mean) if self.training else torch.zeros_like(mean)
        codes = torch.zeros(latents.shape[:2], dtype=torch.int64, device=latents.device)
        return Quantised(mean + (log_variance / 2).exp() * noise, codes, self.beta * nats)

    def lookup(self, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
        """The prior's mean, zero: the one code says nothing."""
        return torch.zeros(*_in_range(codes, self.num_codes).shape, self.dim, device=codes.device)


def _in_range(codes: Tensor, num_codes: int) -> Tensor:
    if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < num_codes:
        raise ValueError(f"codes lie in [{codes.min()}, {codes.max()}]; this codebook has 0 … {num_codes - 1}")
    return codes
