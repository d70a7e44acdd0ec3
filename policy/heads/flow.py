"""Hidden states of the k queries, the robot's state and noise in; the noise carried along a learnt flow, a chunk, out."""

from typing import Any

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn

from policy.heads.action import Context, Unfitted, masked_mean

SLOWEST, FASTEST = 4e-3, 4.0  # periods of the waves that time is told by, as pi0's


class FlowHead(Unfitted):
    """Learns the velocity from noise (time 0) to the demonstrated chunk (time 1); acting takes `num_steps` Euler steps.

    Flow matching as in pi0 (Black et al. 2024, arXiv 2410.24164). Training draws time from 1 − Beta(`time_alpha`, 1): 1.5
    there, which favours times with much noise; 1 is uniform. Acting starts from the same noise always, drawn with `seed` and
    `start_std` large. Any one draw leaves its own small mistake in every chunk, and relative actions add it up: on the
    demo's arm start_std 1 (as pi0's, drawn once) did 2 % where 0, the middle of the noise, did 37 %.
    """

    start: Tensor
    waves: Tensor

    def __init__(
        self, *, width: int, codes_per_step: int, state_dim: int, action_dim: int, chunk_steps: int,
        statistics: dict[str, Any], num_steps: int, time_alpha: float, start_std: float, seed: int, state_width: int,
        time_width: int, hidden: int, depth: int,
    ) -> None:  # fmt: skip
        super().__init__()
        if num_steps < 1 or time_alpha <= 0:
            raise ValueError(f"num_steps must be at least 1 and time_alpha above 0; got {num_steps}, {time_alpha}")
        self.num_steps, self.time_alpha = num_steps, time_alpha
        self.context = Context(width=width, codes_per_step=codes_per_step, state_dim=state_dim, state_width=state_width)
        numbers = chunk_steps * action_dim
        self.enter = nn.Linear(self.context.width + numbers + time_width, hidden)
        self.blocks = nn.ModuleList(_block(hidden) for _ in range(depth))
        self.leave = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, numbers))
        generator = torch.Generator().manual_seed(seed)
        start = start_std * torch.randn(chunk_steps, action_dim, generator=generator)
        self.register_buffer("start", start, persistent=False)
        periods = torch.logspace(0, 1, time_width // 2, base=FASTEST / SLOWEST) * SLOWEST
        self.register_buffer("waves", 2 * torch.pi / periods, persistent=False)

    def loss(
        self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"], wanted: Float[Tensor, "b n a"],
        mask: Bool[Tensor, "b n a"],
    ) -> Float[Tensor, ""]:  # fmt: skip
        """Mean squared error of the velocity, at one random time of each chunk."""
        wanted = torch.where(mask, wanted, 0.0)  # the network reads the noisy chunk
        noise = torch.randn_like(wanted)
        time = 1 - torch.rand(len(wanted), device=wanted.device) ** (1 / self.time_alpha)
        noisy = torch.lerp(noise, wanted, time[:, None, None])
        velocity = self.velocity(self.context(hidden, state), noisy, time).float()
        return masked_mean((velocity - (wanted - noise)) ** 2, mask)

    def act(self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"]) -> Float[Tensor, "b n a"]:
        """Where the flow ends; `num_steps` passes of this head."""
        context = self.context(hidden, state)
        chunk = repeat(self.start, "n a -> b n a", b=len(context))
        for step in range(self.num_steps):
            time = torch.full((len(context),), step / self.num_steps, device=context.device)
            chunk = chunk + self.velocity(context, chunk, time).float() / self.num_steps
        return chunk

    def velocity(
        self, context: Float[Tensor, "b f"], noisy: Float[Tensor, "b n a"], time: Float[Tensor, "b"]
    ) -> Float[Tensor, "b n a"]:
        """Which way and how fast the chunk `noisy` goes at `time` in [0, 1]."""
        phases = time[:, None] * self.waves
        numbers = rearrange(noisy, "b n a -> b (n a)")
        x = self.enter(torch.cat([context, numbers, phases.sin(), phases.cos()], dim=1))
        for block in self.blocks:
            x = x + block(x)
        return rearrange(self.leave(x), "b (n a) -> b n a", n=noisy.shape[1])


def _block(hidden: int) -> nn.Module:
    return nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, hidden))
