"""Two frames in, the robot's actions between them out: the supervised twin of the quantizer (what VPT and UniPi need)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from quantizer.augment import Jitter
from quantizer.blocks import to_unit
from quantizer.motion import BlockMatching
from quantizer.networks import Encoder

Images = UInt8[Tensor, "b 3 h w"]
FROM_DATA = (
    "embodiment",
    "action_names",
    "absolute",
    "action_steps",
    "statistics",
)  # settings that demonstrations give


class InverseDynamics(nn.Module):
    """Frame pairs → the n actions between them, relative to the state at the first frame, in the embodiment's units.

    The quantizer's encoder with another end: `num_queries` queries, each read as `dim_query` numbers, then one linear map.
    Actions of `absolute` are told as they are. Statistics (mean and deviation [n, d]) lie in settings.json.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, *, image_px: int, patch_px: int, dim: int, depth: int, num_heads: int, num_queries: int, dim_query: int,
        jitter: Jitter, motion: BlockMatching, embodiment: str, action_names: Sequence[str], absolute: Sequence[str],
        action_steps: int, statistics: Mapping[str, Any],
    ) -> None:  # fmt: skip
        super().__init__()
        if image_px != patch_px * motion.grid:
            raise ValueError(f"image_px {image_px} must be patch_px {patch_px} × the motion's grid {motion.grid}")
        self.image_px, self.jitter, self.motion, self.action_steps = image_px, jitter, motion, action_steps
        self.action_names, self.absolute, self.embodiment = tuple(action_names), tuple(absolute), embodiment
        self.encoder = Encoder(
            patch_px=patch_px, grid=motion.grid, dim=dim, depth=depth, num_heads=num_heads, codes_per_step=num_queries,
            dim_code=dim_query, votes=motion.votes_side**2,
        )  # fmt: skip
        self.to_actions = nn.Sequential(
            nn.GELU(), nn.Linear(num_queries * dim_query, action_steps * len(self.action_names))
        )
        for name in ("mean", "std"):
            self.register_buffer(name, torch.tensor(statistics[name], dtype=torch.float32), persistent=False)

    def forward(self, before: Images, after: Images) -> Float[Tensor, "b n d"]:
        """Normalised actions: what training compares with `normalise`d demonstrations."""
        if before.shape[-2:] != (self.image_px, self.image_px):
            raise ValueError(
                f"frames are {tuple(before.shape[-2:])}; this model reads {self.image_px} × {self.image_px}"
            )
        first, second = to_unit(before), to_unit(after)
        if self.training:
            first, second = self.jitter(first, second)
        found = rearrange(self.encoder(first, second, self.motion(first, second)), "b k d -> b (k d)")
        return rearrange(self.to_actions(found), "b (n d) -> b n d", n=self.action_steps).float()

    def normalise(self, actions: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Own units → zero mean, unit deviation at each step of the chunk."""
        return (actions - self.mean) / self.std

    def actions(self, before: Images, after: Images) -> Float[Tensor, "b n d"]:
        """Relative actions in the embodiment's units."""
        return self(before, after) * self.std + self.mean
