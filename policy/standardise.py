"""Numbers of a batch in, the same with mean 0 and variance 1 out: over the batches of all ranks while training."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lapa.ranks import num_ranks, summed


class Standardise(nn.BatchNorm1d):
    """BatchNorm that counts all ranks' rows, of which each must have as many.

    Two ranks then train as one process with twice the batch, and keep the same running statistics, which are what the
    policy acts with. torch's own SyncBatchNorm refuses the CPU.
    """

    def __init__(self, *, count: int) -> None:
        super().__init__(count, affine=False)

    def forward(self, x: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Same shape; the running statistics once training is over."""
        if num_ranks() == 1 or not self.training:
            return super().forward(x)
        rows = len(x) * num_ranks()
        mean = summed(x.sum(dim=0)) / rows
        variance = summed((x - mean).square().sum(dim=0)) / rows
        self._keep(mean.detach(), variance.detach() * rows / (rows - 1))
        return (x - mean) * (variance + self.eps).rsqrt()

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        assert self.momentum is not None and self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        for running, value in ((self.running_mean, mean), (self.running_var, variance)):
            assert running is not None
            running.lerp_(value, self.momentum)
