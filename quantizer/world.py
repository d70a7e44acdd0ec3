"""A first frame and codes in, the frames that a quantizer's decoder makes of them, one after another, out: a world model."""

from collections.abc import Callable

import torch
from einops import repeat
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from quantizer.model import Quantizer

Images = UInt8[Tensor, "b 3 h w"]
Rollout = UInt8[Tensor, "b s 3 h w"]
Choose = Callable[
    [Images, int], Int64[Tensor, "b k"]
]  # what is seen now, and the number of the step → codes of the next


@torch.inference_mode()
def unroll(quantizer: Quantizer, first: Images, choose: Choose, *, steps: int) -> Rollout:
    """`first` and `steps` further frames, each decoded from the one before it and the codes that `choose` gives for that."""
    frames = [first]
    for step in range(steps):
        codes = choose(frames[-1], step)
        frames.append(quantizer.decode(frames[-1], codes).round().to(torch.uint8))
    return torch.stack(frames, 1)


def imagine(quantizer: Quantizer, first: Images, codes: Int64[Tensor, "b t k"]) -> Rollout:
    """s = t + 1 frames: what these codes do to `first`. ValueError for codes that do not exist."""
    return unroll(quantizer, first, lambda _, step: codes[:, step], steps=codes.shape[1])


@torch.inference_mode()
def true_codes(quantizer: Quantizer, frames: Rollout) -> Int64[Tensor, "b t k"]:
    """The codes of each frame and the next, t = s − 1."""
    return torch.stack([quantizer.codes(frames[:, i], frames[:, i + 1]) for i in range(frames.shape[1] - 1)], 1)


def random_codes(quantizer: Quantizer, like: Int64[Tensor, "b t k"], seed: int) -> Int64[Tensor, "b t k"]:
    """Codes drawn evenly from the codebook."""
    return torch.randint(quantizer.num_codes, like.shape, generator=torch.Generator().manual_seed(seed))


def held_still(frames: Rollout) -> Rollout:
    """The first frame, again and again: what predicting nothing looks like."""
    return repeat(frames[:, 0], "b c h w -> b s c h w", s=frames.shape[1])


def psnr_by_step(guess: Rollout, truth: Rollout) -> Float[Tensor, "t"]:
    """Peak signal-to-noise ratio [dB] of each step after the first frame, of the squared error over all clips together."""
    error = (guess[:, 1:].float() - truth[:, 1:].float()).square().mean((0, 2, 3, 4))
    return 10 * torch.log10(255**2 / error.clamp_min(1e-3))
