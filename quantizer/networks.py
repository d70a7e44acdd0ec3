"""Frames, motion and codes as tokens: the encoder that asks what happened and the decoder that says what follows."""

from collections.abc import Mapping

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from quantizer.blocks import Transformer, learnt, patchify, shifted
from quantizer.motion import Motion


class Encoder(nn.Module):
    """Sees both frames and the motion between them; k learnt queries ask what happened: → [b k dim_code].

    A token is one patch of space-time (both frames at one place, as ViViT's tubelets), so half as many tokens as two
    frames side by side, and whether a place changed can be seen without attention.
    """

    def __init__(
        self, *, patch_px: int, grid: int, dim: int, depth: int, num_heads: int, codes_per_step: int, dim_code: int,
        votes: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.patch_px, self.grid, self.num_queries, self.votes = patch_px, grid, codes_per_step, votes
        self.embed, self.embed_motion = nn.Linear(6 * patch_px**2 + 3, dim), nn.Linear(2 + votes, codes_per_step * dim)
        self.position = learnt(grid**2, dim)
        self.queries = nn.Parameter(torch.randn(codes_per_step, dim))  # far apart, or all codes would say the same
        self.transformer = Transformer(dim=dim, depth=depth, num_heads=num_heads)
        self.to_code = nn.Linear(dim, dim_code)

    def forward(self, before: Tensor, after: Tensor, motion: Motion) -> Float[Tensor, "b k d"]:
        return self.to_code(self.transformer(self._tokens(before, after, motion), self.num_queries))

    def describe(self, frame: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """The patch tokens of one frame, as a pair in which nothing happens."""
        count, patches = len(frame), self.grid**2
        shapes = ((count, patches, 2), (count, patches), (count, 2), (count, self.votes))
        still = Motion(*(frame.new_zeros(*shape) for shape in shapes))
        return self.transformer(self._tokens(frame, frame, still))[:, self.num_queries :]

    def _tokens(self, before: Tensor, after: Tensor, motion: Motion) -> Float[Tensor, "b m d"]:
        seen = patchify(torch.cat((before, after - before), 1), self.patch_px)
        patches = torch.cat((seen, motion.flow * self.grid, motion.trust[..., None]), -1)  # motion in patches, about 1
        whole = self.embed_motion(torch.cat((motion.drift * self.grid, motion.votes), -1))
        asked = self.queries + rearrange(whole, "b (k d) -> b k d", k=self.num_queries)
        return torch.cat((asked, self.embed(patches) + self.position), 1)


class Decoder(nn.Module):
    """Sees the first frame and the codes; answers what each target asks: → {name: [b n outputs]}.

    Linear maps of the codes alone answer `readouts`; one of them is the drift. The first frame moved by it is shown beside
    the frame itself, so that what remains is to choose, at each place, between what stays, what arrives and what gets
    uncovered.
    """

    def __init__(
        self, *, patch_px: int, grid: int, dim: int, depth: int, num_heads: int, codes_per_step: int, dim_code: int,
        readouts: Mapping[str, int], outputs: Mapping[str, int],
    ) -> None:  # fmt: skip
        super().__init__()
        self.patch_px, self.num_queries = patch_px, codes_per_step
        self.embed, self.from_code = nn.Linear(6 * patch_px**2, dim), nn.Linear(dim_code, dim)
        self.position, self.slots, self.no_code = learnt(grid**2, dim), learnt(codes_per_step, dim), learnt(dim_code)
        self.transformer = Transformer(dim=dim, depth=depth, num_heads=num_heads)
        self.readouts = nn.ModuleDict(
            {name: nn.Linear(codes_per_step * dim_code, count) for name, count in readouts.items()}
        )
        self.heads = nn.ModuleDict({name: nn.Linear(dim, count) for name, count in outputs.items()})
        for parameter in (*self.readouts.parameters(), *self.heads.parameters()):
            nn.init.zeros_(parameter)  # begin by predicting that nothing happens

    def forward(
        self, before: Tensor, vectors: Tensor, hidden: Tensor, drift_scale: Tensor
    ) -> tuple[dict[str, Float[Tensor, "b n o"]], Float[Tensor, "b n p"]]:
        """Answers, and what moving the first frame by the drift changes. `drift_scale`: the unit of the drift.

        `hidden` [b] bool: samples whose codes the decoder must do without.
        """
        vectors = torch.where(hidden[:, None, None], self.no_code, vectors)
        flat = rearrange(vectors, "b k d -> b 1 (k d)")
        read = {name: readout(flat).float() for name, readout in self.readouts.items()}
        arrives = patchify(shifted(before, read["drift"][:, 0].detach() * drift_scale) - before, self.patch_px)
        patches = self.embed(torch.cat((patchify(before, self.patch_px), arrives), -1)) + self.position
        tokens = self.transformer(torch.cat((self.from_code(vectors) + self.slots, patches), 1))[:, self.num_queries :]
        return read | {name: head(tokens).float() for name, head in self.heads.items()}, arrives
