"""Token sequences in, token sequences out: the transformers of LAPA's published quantizer, its quirks and tensor names kept.

Source: the public code of LAPA (arXiv 2410.11758). Attributes are named as its checkpoints name their tensors, numbers
included, so that weights load strictly; `quantizer.blocks` has none of what is odd here.
"""

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

LOGIT_SCALE = 8  # of cosine attention, before the learnt scales
NULLS = 2  # learnt key/values a head that cross-attention sees before the codes


class Norm(nn.Module):
    """LayerNorm with a learnt scale; the shift is stored, but nothing ever taught it."""

    beta: Tensor

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dim))
        self.register_buffer("beta", torch.zeros(dim))

    def forward(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        return F.layer_norm(tokens, tokens.shape[-1:], self.gamma, self.beta)


class PositionBias(nn.Module):
    """What each head adds to the attention between two places of a square grid, told by their offset alone."""

    def __init__(self, *, dim: int, heads: int) -> None:
        super().__init__()
        first = nn.Sequential(nn.Linear(2, dim), nn.LeakyReLU(0.1))
        second = nn.Sequential(nn.Linear(dim, dim), nn.LeakyReLU(0.1))
        self.net = nn.Sequential(first, second, nn.Linear(dim, heads))

    def forward(self, grid: int) -> Float[Tensor, "heads n n"]:
        """n = grid², row by row; offsets are query minus key. The network runs once an offset, (2·grid − 1)² times."""
        device = next(self.parameters()).device
        offsets = torch.arange(1 - grid, grid, device=device)
        scaled = offsets.sign() * (offsets.abs() + 1).log()
        table = rearrange(self.net(torch.cartesian_prod(scaled, scaled)), "(r c) heads -> heads r c", r=len(offsets))
        place = torch.arange(grid, device=device)
        apart = place[:, None] - place + grid - 1  # [query key] along one axis, as an index into the table
        return rearrange(table[:, apart[:, None, :, None], apart[:, None]], "heads i j k l -> heads (i j) (k l)")


class Peg(nn.Module):
    """Position from a depthwise 3×3×3 convolution that sees the eight neighbours, now and (of two frames) before.

    The sequences are read in memory order as [b t h w d], whatever they are: those of the temporal transformer lie there
    as [b h w t d], so their convolution sees other cells than it means to. The published weights were trained with that.
    """

    def __init__(self, *, dim: int, frames: int, grid: int) -> None:
        super().__init__()
        self.axes = {"t": frames, "h": grid, "w": grid}
        self.dsconv = nn.Conv3d(dim, dim, kernel_size=3, groups=dim)

    def forward(self, tokens: Float[Tensor, "s n d"]) -> Float[Tensor, "s n d"]:
        cells = rearrange(tokens, "s n d -> (s n) d")
        video = rearrange(cells, "(b t h w) d -> b d t h w", **self.axes)
        found = self.dsconv(F.pad(video, (1, 1, 1, 1, 2, 0)))
        return rearrange(rearrange(found, "b d t h w -> (b t h w) d"), "(s n) d -> s n d", s=len(tokens))


class Attention(nn.Module):
    """Cosine attention with learnt scales. Keys and values come from the normalised context, or without one from the
    tokens as they are, not normalised.
    """

    def __init__(self, *, dim: int, dim_head: int, heads: int, nulls: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.context_norm = Norm(dim=dim), Norm(dim=dim)
        self.null_kv = nn.Parameter(torch.zeros(heads, 2 * nulls, dim_head))
        self.to_q = nn.Linear(dim, heads * dim_head, bias=False)
        self.to_kv = nn.Linear(dim, 2 * heads * dim_head, bias=False)
        self.q_scale, self.k_scale = nn.Parameter(torch.ones(dim_head)), nn.Parameter(torch.ones(dim_head))
        self.to_out = nn.Linear(heads * dim_head, dim, bias=False)

    def forward(self, tokens: Tensor, *, bias: Tensor | None, context: Tensor | None) -> Float[Tensor, "b n d"]:
        """`bias` [heads n n] is added to the logits of self-attention; `context` [b k d] makes it cross-attention."""
        seen = tokens if context is None else self.context_norm(context)
        query = rearrange(self.to_q(self.norm(tokens)), "b n (h d) -> b h n d", h=self.heads)
        pair = rearrange(self.to_kv(seen), "b n (two h d) -> two b h n d", two=2, h=self.heads)
        null = repeat(self.null_kv, "h (n two) d -> two b h n d", two=2, b=len(tokens))
        key, value = torch.cat((null, pair), dim=3)
        query, key = F.normalize(query, dim=-1) * self.q_scale, F.normalize(key, dim=-1) * self.k_scale
        logits = query @ rearrange(key, "b h n d -> b h d n") * LOGIT_SCALE
        if bias is not None:
            logits = logits + bias
        return self.to_out(rearrange(logits.softmax(-1) @ value, "b h n d -> b n (h d)"))


class Geglu(nn.Module):
    """The first half of the channels, gated by the second."""

    def forward(self, tokens: Float[Tensor, "b n d2"]) -> Float[Tensor, "b n d"]:
        value, gate = tokens.chunk(2, dim=-1)
        return value * F.gelu(gate)


def feed_forward(dim: int) -> nn.Sequential:
    """LayerNorm, out to two thirds of 4·dim twice, gate, back; place 3 was dropout, which trains only."""
    inner = 8 * dim // 3
    wide, back = nn.Linear(dim, 2 * inner, bias=False), nn.Linear(inner, dim, bias=False)
    return nn.Sequential(nn.LayerNorm(dim), wide, Geglu(), nn.Identity(), back)


class Block(nn.ModuleDict):
    """Position, self-attention, the decoder's cross-attention, feed-forward, each added to its input."""

    def __init__(self, *, dim: int, dim_head: int, heads: int, frames: int, grid: int, crossed: bool) -> None:
        shared = dict(dim=dim, dim_head=dim_head, heads=heads)
        super().__init__({"0": Peg(dim=dim, frames=frames, grid=grid), "1": Attention(**shared, nulls=0)})
        if crossed:
            self["2"] = Attention(**shared, nulls=NULLS)
        self["3"] = feed_forward(dim)

    def forward(self, tokens: Tensor, *, bias: Tensor | None, context: Tensor | None) -> Float[Tensor, "s n d"]:
        tokens = tokens + self["0"](tokens)
        tokens = tokens + self["1"](tokens, bias=bias, context=None)
        if context is not None:
            tokens = tokens + self["2"](tokens, bias=None, context=context)
        return tokens + self["3"](tokens)


class Transformer(nn.Module):
    """`depth` blocks and a last norm over s sequences of n tokens, which together are videos of `frames` × grid × grid."""

    def __init__(
        self, *, depth: int, dim: int, dim_head: int, heads: int, frames: int, grid: int, crossed: bool
    ) -> None:
        super().__init__()
        shared = dict(dim=dim, dim_head=dim_head, heads=heads, frames=frames, grid=grid)
        self.layers = nn.ModuleList(Block(**shared, crossed=crossed) for _ in range(depth))
        self.norm_out = Norm(dim=dim)

    def forward(self, tokens: Tensor, *, bias: Tensor | None, context: Tensor | None) -> Float[Tensor, "s n d"]:
        """`bias` [heads n n] for self-attention, `context` [s k d] for a `crossed` one's cross-attention."""
        for block in self.layers:
            tokens = block(tokens, bias=bias, context=context)
        return self.norm_out(tokens)
