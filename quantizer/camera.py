"""Two frames in, the first as the camera of the second would have seen it out: motion that is nobody's action, taken away."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from quantizer.blocks import shifted


class Steady(nn.Module):
    """Undoes a shift of the whole picture by up to `most` of its side (0: leaves the frames alone).

    The shift is the peak of the phase correlation (Kuglin & Hines 1975), which is that of the largest textured surface.
    Turning, zooming and parallax stay. It must explain the pair at least `gain` better than no shift, or nothing is done.
    """

    def __init__(self, *, most: float, gain: float) -> None:
        super().__init__()
        self.most, self.gain = most, gain

    @torch.no_grad()
    def forward(self, before: Float[Tensor, "b 3 h w"], after: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
        """`before`, moved."""
        if not self.most:
            return before
        with torch.autocast(before.device.type, enabled=False):
            moved = shifted(before.float(), self.shift(before.float(), after.float()))
        errors = [
            (image - after).abs().flatten(1).median(1).values for image in (moved, before)
        ]  # most pixels: no mover
        return torch.where((errors[0] < (1 - self.gain) * errors[1])[:, None, None, None], moved, before)

    def shift(self, before: Float[Tensor, "b 3 h w"], after: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 2"]:
        """The picture's shift (down, right) from one frame to the next, a share of its side, in whole pixels."""
        side = before.shape[-1]
        window = torch.hann_window(side, periodic=False, device=before.device)
        first, second = (torch.fft.rfft2(x.mean(1) * window[:, None] * window) for x in (before, after))
        cross = second * first.conj()
        peaks = torch.fft.irfft2(cross / cross.abs().clamp_min(1e-6), s=(side, side))
        steps = torch.fft.fftfreq(
            side, device=before.device
        )  # of each row and column: shares of the side, negative beyond half
        near = steps.abs() <= self.most
        peaks = peaks.masked_fill(~(near[:, None] & near), -torch.inf)
        best = peaks.flatten(1).argmax(1)
        return torch.stack((steps[best // side], steps[best % side]), -1)
