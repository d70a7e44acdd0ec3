"""What every policy shares: a backbone and k learnt queries, one a latent code; pictures, words → k states."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from einops import repeat
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from lapa import checkpoint
from lapa.records import Images
from policy.backbone import Backbone, Prefix, Words

# what a checkpoint's settings may build
ALLOWED = ("policy.backbones.", "policy.heads.", "policy.readers.", "policy.video_plan.", "policy.strategy.")
QUERY_STD = 0.3  # queries must differ, yet leave room for what the backbone adds to them


def stack_cameras(images: Images, cameras: Sequence[str]) -> UInt8[Tensor, "b c 3 h w"]:
    """One tensor in the order of `cameras`; ValueError names a camera that is missing."""
    for camera in cameras:
        if camera not in images:
            raise ValueError(f"no camera {camera!r}; this observation has {sorted(images)}")
    return torch.stack([images[camera] for camera in cameras], dim=1)


class Trunk(nn.Module):
    """The part that latent pretraining hands on to the action policy, tensor for tensor."""

    def __init__(self, *, backbone: Mapping[str, Any], codes_per_step: int) -> None:
        super().__init__()
        built = checkpoint.build(backbone, allowed=ALLOWED)
        assert isinstance(built, Backbone), f"{type(built).__name__} lacks a method of policy/backbone.py"
        self.backbone: Any = built
        self.queries = nn.Parameter(QUERY_STD * torch.randn(codes_per_step, built.width))

    def forward(
        self, images: UInt8[Tensor, "b c 3 h w"], texts: list[str], hints: Float[Tensor, "b k d"] | None = None
    ) -> Float[Tensor, "b k d"]:
        """Hidden states of the k queries; `hints` is added to the queries (codes known already, or nothing)."""
        return self.backbone(*self._inputs(images, texts), self._queries(len(images), hints))

    def prefix(self, images: UInt8[Tensor, "b c 3 h w"], texts: list[str]) -> Prefix:
        """Pictures and words encoded once, for `go_on`."""
        return self.backbone.prefix(*self._inputs(images, texts))

    def go_on(self, prefix: Prefix, hints: Float[Tensor, "b k d"] | None = None) -> Float[Tensor, "b k d"]:
        """What `forward` gives with the same hints, but for rounding."""
        return self.backbone.go_on(prefix, self._queries(len(prefix.real), hints))

    def blocks(self) -> list[nn.Module]:
        """The backbone's repeated blocks."""
        return self.backbone.blocks()

    def _inputs(self, images: Tensor, texts: list[str]) -> tuple[Tensor, Words]:
        words = self.backbone.tokenise(texts, images.device)
        return self.backbone.prepare(images), words

    def _queries(self, count: int, hints: Tensor | None) -> Float[Tensor, "b k d"]:
        queries: Tensor = repeat(self.queries, "k d -> b k d", b=count)
        return queries if hints is None else queries + hints
