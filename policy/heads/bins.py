"""Hidden states of the k queries and the robot's state in; of 256 values for each number of a chunk, the likeliest out."""

from typing import Any

import numpy as np
import torch
from einops import einsum, rearrange
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor, nn

from policy.heads.action import Context, Examples, masked_mean

OPENVLA_QUANTILES = (0.01, 0.99)  # what uniform bins span (Kim et al. 2024, arXiv 2406.09246)


class BinsHead(nn.Module):
    """Each number of a chunk is one of `num_bins` classes; trained with cross-entropy.

    edges: equal_count (as many training actions in each bin; LAPA, Ye et al. 2024, arXiv 2410.11758) or uniform (between
    the 1 % and 99 % quantiles; OpenVLA). Logits are products of what the network says of a number, `bin_width` wide,
    with what it has learnt of that dimension's bins: a layer of all logits would outweigh the backbone.
    """

    inner: Tensor
    centres: Tensor

    def __init__(
        self, *, width: int, codes_per_step: int, state_dim: int, action_dim: int, chunk_steps: int,
        statistics: dict[str, Any], num_bins: int, edges: str, state_width: int, hidden: int, bin_width: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.sizes = {"n": chunk_steps, "a": action_dim}
        self.context = Context(width=width, codes_per_step=codes_per_step, state_dim=state_dim, state_width=state_width)
        self.layers = nn.Sequential(
            nn.Linear(self.context.width, hidden), nn.GELU(), nn.Linear(hidden, hidden), nn.GELU(),
            nn.Linear(hidden, chunk_steps * action_dim * bin_width),
        )  # fmt: skip
        self.bins = nn.Parameter(bin_width**-0.5 * torch.randn(action_dim, num_bins, bin_width))
        for name, key in (("inner", "edges"), ("centres", "centres")):
            self.register_buffer(name, torch.tensor(statistics["head"][key], dtype=torch.float32), persistent=False)

    @staticmethod
    def fit(examples: Examples, *, num_bins: int, edges: str, **_own: Any) -> dict[str, Any]:
        """Inner edges [a, bins − 1] and the median of what lies in each bin [a, bins], of all steps of a chunk together."""
        dimensions = np.moveaxis(examples.chunks, -1, 0), np.moveaxis(examples.mask, -1, 0)
        columns = [values[real] for values, real in zip(*dimensions, strict=True)]
        inner = [_inner_edges(values, num_bins, edges) for values in columns]
        centres = [_centres(values, own) for values, own in zip(columns, inner, strict=True)]
        return {"edges": [own.tolist() for own in inner], "centres": [own.tolist() for own in centres]}

    def loss(
        self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"], wanted: Float[Tensor, "b n a"],
        mask: Bool[Tensor, "b n a"],
    ) -> Float[Tensor, ""]:  # fmt: skip
        """Cross-entropy [nats]."""
        logits = rearrange(self.logits(hidden, state).float(), "b n a c -> b c n a")
        return masked_mean(nn.functional.cross_entropy(logits, self.classes(wanted), reduction="none"), mask)

    def act(self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"]) -> Float[Tensor, "b n a"]:
        """The centre of the likeliest bin."""
        likeliest = rearrange(self.logits(hidden, state).argmax(dim=-1), "b n a -> a (b n)")
        return rearrange(self.centres.gather(1, likeliest), "a (b n) -> b n a", n=self.sizes["n"])

    def logits(self, hidden: Float[Tensor, "b k d"], state: Float[Tensor, "b s"]) -> Float[Tensor, "b n a c"]:
        """One for each number of the chunk and each bin."""
        said = rearrange(self.layers(self.context(hidden, state)), "b (n a e) -> b n a e", **self.sizes)
        return einsum(said, self.bins, "b n a e, a c e -> b n a c")

    def classes(self, wanted: Float[Tensor, "b n a"]) -> Int64[Tensor, "b n a"]:
        """The bin that each number lies in; what lies outside belongs to the first or the last."""
        columns = rearrange(wanted, "b n a -> a (b n)").contiguous()
        return rearrange(torch.searchsorted(self.inner, columns), "a (b n) -> b n a", n=self.sizes["n"])


def _inner_edges(values: Float32[np.ndarray, "m"], num_bins: int, edges: str) -> np.ndarray:
    if len(values) == 0:  # no robot has this joint
        return np.zeros(num_bins - 1, np.float32)
    if edges == "equal_count":
        return np.quantile(values, np.arange(1, num_bins) / num_bins).astype(np.float32)
    if edges == "uniform":
        low, high = np.quantile(values, OPENVLA_QUANTILES)
        return np.linspace(low, high, num_bins + 1, dtype=np.float32)[1:-1]
    raise ValueError(f"no edges {edges!r}; there are equal_count, uniform")


def _centres(values: Float32[np.ndarray, "m"], inner: np.ndarray) -> np.ndarray:
    """The median of the values in each bin; where there are none, the middle of its edges."""
    bounds = np.concatenate([inner[:1], inner, inner[-1:]])
    centres = (bounds[:-1] + bounds[1:]) / 2
    places = np.searchsorted(inner, values)
    for place in np.unique(places):
        centres[place] = np.median(values[places == place])
    return centres
