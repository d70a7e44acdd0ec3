"""Hidden states of the k queries and the present picture in, pictures that follow out: a flow over their changes."""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from policy.heads.flow import FASTEST, SLOWEST


class Painter(nn.Module):
    """Rectified flow from noise (time 0) to how the next n pictures differ from the present one (time 1), in deviations.

    A transformer over patches (of the present picture, and of the noisy changes of all n at that place), which the k
    states modulate, answers with the change itself; the velocity follows from it. Noise in a patch has more dimensions
    than a token, a change has fewer (Li & He 2025, arXiv 2511.13720). Noise is `noise_std` deviations large. Training draws
    time from 1 − Beta(`time_alpha`, 1); acting takes `num_steps` Euler steps from noise drawn once with `seed`, of which it
    takes the share `start_std` (0: the middle of all noise).
    """

    start: Tensor
    waves: Tensor

    def __init__(
        self, *, width: int, codes_per_step: int, image_px: int, num_frames: int, patch_px: int, dim: int, depth: int,
        num_heads: int, feed_forward: int, time_width: int, time_alpha: float, num_steps: int, noise_std: float,
        start_std: float, seed: int,
    ) -> None:  # fmt: skip
        super().__init__()
        if num_steps < 1 or time_alpha <= 0 or image_px % patch_px:
            raise ValueError(
                f"num_steps must be at least 1, time_alpha above 0, image_px {image_px} a multiple of patch_px; "
                f"got {num_steps}, {time_alpha}, {patch_px}"
            )
        self.patch_px, self.grid, self.time_alpha, self.num_steps = (
            patch_px,
            image_px // patch_px,
            time_alpha,
            num_steps,
        )
        self.noise_std, pixels = noise_std, 3 * patch_px**2
        self.told = nn.Linear(codes_per_step * width, 2 * dim)
        self.embed = nn.Linear((1 + num_frames) * pixels, dim)
        self.places = nn.Parameter(0.02 * torch.randn(self.grid**2, dim))
        self.time = nn.Linear(time_width, dim)
        layer = nn.TransformerEncoderLayer(
            dim, num_heads, feed_forward, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, depth, nn.LayerNorm(dim), enable_nested_tensor=False)
        self.leave = nn.Linear(dim, num_frames * pixels)
        nn.init.zeros_(self.leave.weight)  # begin by foretelling that nothing changes
        nn.init.zeros_(self.leave.bias)
        noise = torch.randn(num_frames, 3, image_px, image_px, generator=torch.Generator().manual_seed(seed))
        self.register_buffer("start", start_std * noise_std * noise, persistent=False)
        periods = torch.logspace(0, 1, time_width // 2, base=FASTEST / SLOWEST) * SLOWEST
        self.register_buffer("waves", 2 * torch.pi / periods, persistent=False)

    def blocks(self) -> list[nn.Module]:
        """The transformer's layers."""
        return [*self.transformer.layers]

    def fit(self, _changes: Callable[[int], Tensor]) -> None:
        """Nothing is taken from the clips before training."""

    def loss(
        self, hidden: Float[Tensor, "b k d"], now: Float[Tensor, "b 3 h w"], wanted: Float[Tensor, "b n 3 h w"],
        exist: Bool[Tensor, "b n"],
    ) -> Float[Tensor, ""]:  # fmt: skip
        """Mean squared error of the change, at one random time of each sample; where `exist` is false nothing is learnt."""
        noise = self.noise_std * torch.randn_like(wanted)
        time = 1 - torch.rand(len(wanted), device=wanted.device) ** (1 / self.time_alpha)
        noisy = torch.lerp(noise, wanted, time[:, None, None, None, None])
        noisy = torch.where(exist[:, :, None, None, None], noisy, noise)
        errors = (self(hidden, now, noisy, time).float() - wanted).square().mean(dim=(2, 3, 4))
        return errors[exist].mean()

    def act(self, hidden: Float[Tensor, "b k d"], now: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n 3 h w"]:
        """Where the flow ends; the same for the same input, whatever else is in the batch."""
        change = repeat(self.start, "n c h w -> b n c h w", b=len(now))
        for step in range(self.num_steps):
            time = torch.full((len(now),), step / self.num_steps, device=now.device)
            end = self(hidden, now, change, time).float()
            change = torch.lerp(change, end, 1 / (self.num_steps - step))
        return change

    def forward(
        self, hidden: Float[Tensor, "b k d"], now: Float[Tensor, "b 3 h w"], noisy: Float[Tensor, "b n 3 h w"],
        time: Float[Tensor, "b"],
    ) -> Float[Tensor, "b n 3 h w"]:  # fmt: skip
        """The change that `noisy`, at `time` in [0, 1], comes from; `now` in [−1, 1]."""
        seen = torch.cat([now[:, None], noisy], dim=1)
        patches = rearrange(seen, "b n c (h p) (w q) -> b (h w) (n c p q)", p=self.patch_px, q=self.patch_px)
        phases = time[:, None] * self.waves
        when = self.time(torch.cat([phases.sin(), phases.cos()], dim=1))[:, None]
        scale, shift = self.told(rearrange(hidden, "b k d -> b 1 (k d)")).chunk(2, dim=-1)
        tokens = (self.embed(patches) + self.places + when) * (1 + scale) + shift
        # The CPU's fused attention is slower than plain matrix products at these lengths.
        with sdpa_kernel(SDPBackend.MATH) if tokens.device.type == "cpu" else nullcontext():
            found = self.leave(self.transformer(tokens))
        return rearrange(
            found, "b (h w) (n c p q) -> b n c (h p) (w q)",
            h=self.grid, n=noisy.shape[1], p=self.patch_px, q=self.patch_px,
        )  # fmt: skip
