"""How words, image tokens and queries stand in one sequence: who sees whom, positions, a text's summary."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn


def who_sees_whom(real: Bool[Tensor, "b n"], *, both_ways: int) -> Bool[Tensor, "b 1 n n"]:
    """Attention mask, true = is seen: the first `both_ways` tokens see each other (a prefix, as in PaliGemma), the
    others see everything before them. `real` is false at padding, which nobody sees but itself: a softmax over nothing
    is NaN.
    """
    length = real.shape[1]
    sees = torch.ones(length, length, dtype=torch.bool, device=real.device).tril()
    sees[:both_ways, :both_ways] = True
    itself = torch.eye(length, dtype=torch.bool, device=real.device)
    return ((sees & real[:, None, :]) | itself)[:, None]


def queries_see(prefix: Bool[Tensor, "b p"], count: int) -> Bool[Tensor, "b 1 q n"]:
    """The rows of `who_sees_whom` that belong to the last `count` tokens: all that is real before them, then causally."""
    causal = torch.ones(count, count, dtype=torch.bool, device=prefix.device).tril()
    sees = [mask.expand(len(prefix), count, -1) for mask in (prefix[:, None], causal[None])]
    return torch.cat(sees, dim=2)[:, None]


def real_tokens(x: Float[Tensor, "b n d"]) -> Bool[Tensor, "b n"]:
    """All true: what is not words is never padding."""
    return torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)


def additive(mask: Bool[Tensor, "b 1 n n"], dtype: torch.dtype) -> Float[Tensor, "b 1 n n"]:
    """0 where seen, the lowest finite number elsewhere: what transformers' attention adds to its scores."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, torch.finfo(dtype).min)


class Summary(nn.Module):
    """Word embeddings → one vector: the mean of three-word windows, so that "red to green" is not "green to red"."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.window = nn.Conv1d(width, width, 3, padding=1)
        self.norm = nn.LayerNorm(width)

    def forward(self, embedded: Float[Tensor, "b w d"], mask: Bool[Tensor, "b w"]) -> Float[Tensor, "b d"]:
        """Padding counts as nothing; an empty text gives the same vector always."""
        real = mask.to(embedded.dtype)[..., None]
        words = embedded * real
        windows = rearrange(self.window(rearrange(words, "b w d -> b d w")), "b d w -> b w d")
        found = words + nn.functional.gelu(windows)
        return self.norm((found * real).sum(dim=1) / real.sum(dim=1).clamp(min=1))


def positions(num_words: int, num_others: int, *, max_words: int, device: torch.device) -> Int64[Tensor, "1 n"]:
    """Words count from 0, everything after them from `max_words`: how far a batch was padded changes nothing."""
    words = torch.arange(num_words, device=device)
    return torch.cat([words, max_words + torch.arange(num_others, device=device)])[None]
