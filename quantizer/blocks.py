"""Images and token sequences in, token sequences out: the transformer parts that encoder and decoder share."""

import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F


def to_unit(images: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Eight-bit pixels to [-0.5, 0.5], on the images' own device."""
    return images.float().div(255.0).sub(0.5)


def patchify(images: Float[Tensor, "b c h w"], patch_px: int) -> Float[Tensor, "b n d"]:
    """Cut images into n = (h/p)·(w/p) patches of d = c·p·p numbers, row by row."""
    return rearrange(images, "b c (h p) (w q) -> b (h w) (c p q)", p=patch_px, q=patch_px)


def unpatchify(patches: Float[Tensor, "b n d"], patch_px: int, image_px: int) -> Float[Tensor, "b c h w"]:
    """The inverse of `patchify` for square images of `image_px` pixels."""
    side = image_px // patch_px
    return rearrange(patches, "b (h w) (c p q) -> b c (h p) (w q)", h=side, w=side, p=patch_px, q=patch_px)


def shifted(images: Float[Tensor, "b c h w"], step: Float[Tensor, "b 2"]) -> Float[Tensor, "b c h w"]:
    """Each image moved by its `step` (down, right; shares of the side), the border's colour following behind."""
    identity = torch.eye(2, 3, device=images.device).expand(len(images), -1, -1)
    away = F.pad(-2 * step.flip(-1).float()[..., None], (2, 0))  # grid_sample's (right, down) in [-1, 1]
    grid = F.affine_grid(identity + away, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


class Block(nn.Module):
    """Pre-norm self-attention and feed-forward: [b n dim] → [b n dim]."""

    def __init__(self, *, dim: int, num_heads: int) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"dim {dim} cannot be divided among {num_heads} heads")
        self.num_heads = num_heads
        self.norm_attention = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)
        )
        # Each block starts as the identity: the residual stream carries the embeddings until training says otherwise.
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.feed_forward[-1].weight)  # type: ignore[arg-type]

    def forward(self, tokens: Float[Tensor, "b n d"], asking: int | None = None) -> Float[Tensor, "b m d"]:
        """Only the first `asking` tokens look around and go on (None: all); the others are looked at."""
        seen = self.norm_attention(tokens)
        mixed = self._attend(self.qkv(seen)) if asking is None else self._attend_first(seen, asking)
        tokens = tokens[:, :asking] + self.out(mixed)
        return tokens + self.feed_forward(tokens)

    def _attend(self, qkv: Float[Tensor, "b n e"]) -> Float[Tensor, "b n d"]:
        heads = rearrange(qkv, "b n (three h d) -> three (b h) n d", three=3, h=self.num_heads)
        return rearrange(attention(*heads), "(b h) n d -> b n (h d)", h=self.num_heads)

    def _attend_first(self, seen: Float[Tensor, "b n d"], asking: int) -> Float[Tensor, "b m d"]:
        dim = seen.shape[-1]
        query = F.linear(seen[:, :asking], self.qkv.weight[:dim], self.qkv.bias[:dim])
        both = F.linear(seen, self.qkv.weight[dim:], self.qkv.bias[dim:])
        key, value = rearrange(both, "b n (two h d) -> two (b h) n d", two=2, h=self.num_heads)
        mixed = attention(rearrange(query, "b m (h d) -> (b h) m d", h=self.num_heads), key, value)
        return rearrange(mixed, "(b h) m d -> b m (h d)", h=self.num_heads)


def attention(
    query: Float[Tensor, "h m d"], key: Float[Tensor, "h n d"], value: Float[Tensor, "h n d"]
) -> Float[Tensor, "h m d"]:
    """softmax(q·kᵀ / √d)·v. On a CPU as plain matrix products in the precision that comes: at some seventy tokens three
    times as fast as torch's kernels, forth and back (bf16; its fused one is slower still backwards).
    """
    if query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value)
    with torch.autocast("cpu", enabled=False):
        scores = (query * query.shape[-1] ** -0.5) @ key.mT
        return scores.softmax(-1) @ value


class Transformer(nn.Module):
    """`depth` blocks and a last LayerNorm: [b n dim] → [b m dim], the first m = `asking` tokens (None: all)."""

    def __init__(self, *, dim: int, depth: int, num_heads: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(dim=dim, num_heads=num_heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Float[Tensor, "b n d"], asking: int | None = None) -> Float[Tensor, "b m d"]:
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        return self.norm(self.blocks[-1](tokens, asking))  # what nobody reads is not computed


def learnt(*shape: int) -> nn.Parameter:
    """A learnt table of small random numbers (σ = 0.02, as ViT's embeddings)."""
    return nn.Parameter(0.02 * torch.randn(*shape))
