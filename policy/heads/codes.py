"""Hidden states of the k queries in, logits over latent codes out."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from policy.trunk import Trunk


class ParallelCodes(nn.Module):
    """All k codes at once: one linear layer a position. The queries see each other's hidden states, not the codes."""

    def __init__(self, *, width: int, codes_per_step: int, num_codes: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, num_codes) for _ in range(codes_per_step))

    def logits(
        self, trunk: Trunk, images: Tensor, texts: list[str], codes: Int64[Tensor, "b k"] | None
    ) -> Float[Tensor, "b k n"]:
        """Logits of each code; `codes` (the truth, in training) is not looked at."""
        return self.read(trunk(images, texts))

    def hints(self, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b k d"] | None:
        """What the true codes add to the queries in training: nothing."""
        return None

    def read(self, hidden: Float[Tensor, "b k d"]) -> Float[Tensor, "b k n"]:
        """Position i of `hidden` through layer i."""
        return torch.stack([head(hidden[:, i]) for i, head in enumerate(self.heads)], dim=1)

    def predict(self, trunk: Trunk, images: Tensor, texts: list[str]) -> Int64[Tensor, "b k"]:
        """The likeliest codes."""
        return self.logits(trunk, images, texts, None).argmax(dim=-1)


class AutoregressiveCodes(ParallelCodes):
    """Code i is predicted knowing codes before i: query i gets the embedding of code i − 1 (LAPA's own embedding)."""

    def __init__(self, *, width: int, codes_per_step: int, num_codes: int) -> None:
        super().__init__(width=width, codes_per_step=codes_per_step, num_codes=num_codes)
        self.embedding = nn.Embedding(num_codes + 1, width)  # the last row says "nothing before"

    def logits(
        self, trunk: Trunk, images: Tensor, texts: list[str], codes: Int64[Tensor, "b k"] | None
    ) -> Float[Tensor, "b k n"]:
        """Logits with the true codes before each position; greedy ones where `codes` is None."""
        if codes is None:
            codes = self.predict(trunk, images, texts)
        return self.read(trunk(images, texts, self.hints(codes)))

    def hints(self, codes: Int64[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
        """To each query the code before its own."""
        before = torch.cat([torch.full_like(codes[:, :1], self.embedding.num_embeddings - 1), codes[:, :-1]], dim=1)
        return self.embedding(before)

    def predict(self, trunk: Trunk, images: Tensor, texts: list[str]) -> Int64[Tensor, "b k"]:
        """Greedy, one code after the other: pictures and words are encoded once, then k passes over the queries."""
        prefix = trunk.prefix(images, texts)
        codes = torch.zeros(len(images), len(self.heads), dtype=torch.int64, device=images.device)
        for i, head in enumerate(self.heads):
            hidden = trunk.go_on(prefix, self.hints(codes))  # all k: one shape, and what follows i changes nothing
            codes[:, i] = head(hidden[:, i]).argmax(dim=-1)
        return codes
