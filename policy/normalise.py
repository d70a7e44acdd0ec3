"""Actions in a robot's own units ↔ numbers near one: relative to the present state, scaled by the demonstrations."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn

from lapa.relative import STILL, state_sources
from policy.heads.action import Examples


def cut_chunk(actions: np.ndarray, start: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """actions [t, d] → (`steps` of them from `start` [n, d], which exist [n]); past the end the last is repeated."""
    places = np.arange(start, start + steps)
    return actions[np.minimum(places, len(actions) - 1)], places < len(actions)


def cut_chunks(actions: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """actions [t, d] → at every moment the `steps` from there [t, n, d], which exist [t, n]."""
    chunks, masks = zip(*(cut_chunk(actions, i, steps) for i in range(len(actions))), strict=True)
    return np.stack(chunks), np.stack(masks)


class Moments(NamedTuple):
    """Every moment of some demonstrations: the state, the actions that follow relative to it, which of them exist."""

    state: Float32[np.ndarray, "m s"]
    chunks: Float32[np.ndarray, "m n d"]
    mask: Bool[np.ndarray, "m n"]


def take_moments(
    demos: Iterable[tuple[np.ndarray, np.ndarray]], *, sources: Sequence[int], chunk_steps: int
) -> Moments:
    """(state [t, s], action [t, d]) of each demonstration → all its moments; ValueError when there is none."""
    parts = []
    for state, action in demos:
        base = _base(torch.from_numpy(state), sources).numpy()
        chunks, masks = cut_chunks(action, chunk_steps)
        parts.append(Moments(state, chunks - base[:, None], masks))
    if not parts:
        raise ValueError("no demonstration to fit statistics on")
    return Moments(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def fit_statistics(moments: Moments) -> dict[str, Any]:
    """JSON-able means, standard deviations, 1 % and 99 % quantiles of states and actions.

    Actions have one row for each step of the chunk [n, d]: the farther ahead, the farther the arm has gone.
    """
    state, chunk = moments.state.astype(np.float64), moments.chunks.astype(np.float64)
    steps = [chunk[real, i] if real.any() else chunk[:, 0] for i, real in enumerate(moments.mask.T)]
    return {"state": _describe([state]), "action": _describe(steps)}


def _describe(columns: list[np.ndarray]) -> dict[str, list[list[float]]]:
    fitted = {"mean": [rows.mean(0).tolist() for rows in columns], "std": [rows.std(0).tolist() for rows in columns]}
    low_high = [np.quantile(rows, (0.01, 0.99), axis=0).tolist() for rows in columns]
    return fitted | {"q01": [low for low, _ in low_high], "q99": [high for _, high in low_high]}


def _base(state: Tensor, sources: Sequence[int]) -> Tensor:
    columns = [state[..., i] if i >= 0 else torch.zeros_like(state[..., 0]) for i in sources]
    return torch.stack(columns, dim=-1)


class Normaliser(nn.Module):
    """`normalise` and `denormalise` are inverse to each other for any state. Statistics lie in settings.json.

    normalisation: mean_std (to mean 0, deviation 1) or quantile (the 1 % and 99 % quantiles to −1 and 1; openpi, OpenVLA).
    """

    state_centre: Tensor
    state_scale: Tensor
    action_centre: Tensor
    action_scale: Tensor

    def __init__(
        self, *, state_names: Sequence[str], action_names: Sequence[str], absolute: Sequence[str],
        statistics: dict[str, Any], normalisation: str,
    ) -> None:  # fmt: skip
        super().__init__()
        self.bodies: dict[str, Any] = {}  # of several robots: policy/bodies.py
        self.state_names, self.action_names = tuple(state_names), tuple(action_names)
        self.sources = state_sources(state_names, action_names, absolute)
        for kind in ("state", "action"):
            centre, scale = _centre_scale(statistics[kind], normalisation)
            self.register_buffer(f"{kind}_centre", centre, persistent=False)
            self.register_buffer(f"{kind}_scale", torch.where(scale < STILL, 1.0, scale), persistent=False)

    def state(self, state: Float[Tensor, "b s"]) -> Float[Tensor, "b s"]:
        """Own units → scaled; ValueError when the number of states is another."""
        if state.shape[-1] != len(self.state_names):
            wanted = f"{len(self.state_names)}: {', '.join(self.state_names)}"
            raise ValueError(f"state has {state.shape[-1]} numbers; this policy reads {wanted}")
        return (state - self.state_centre) / self.state_scale

    def normalise(self, state: Float[Tensor, "b s"], actions: Float[Tensor, "b n a"]) -> Float[Tensor, "b n a"]:
        """Own units → relative to `state` and scaled."""
        return self.scale(actions - _base(state, self.sources)[:, None])

    def scale(self, relative: Float[Tensor, "b n a"]) -> Float[Tensor, "b n a"]:
        """Relative actions (`Moments.chunks`) → scaled."""
        return (relative - self.action_centre) / self.action_scale

    def examples(self, moments: Moments) -> Examples:
        """What a head is fitted on."""
        chunks = self.scale(torch.from_numpy(moments.chunks)).numpy()
        return Examples(chunks, np.broadcast_to(moments.mask[..., None], chunks.shape))

    def denormalise(self, state: Float[Tensor, "b s"], scaled: Float[Tensor, "b n a"]) -> Float[Tensor, "b n a"]:
        """The inverse: what the robot is told."""
        return scaled * self.action_scale + self.action_centre + _base(state, self.sources)[:, None]


def _centre_scale(fitted: dict[str, Any], normalisation: str) -> tuple[Tensor, Tensor]:
    """What becomes 0, and what becomes 1 from there."""
    if normalisation not in ("mean_std", "quantile"):
        raise ValueError(f"no normalisation {normalisation!r}; there are mean_std, quantile")
    names = ("mean", "std") if normalisation == "mean_std" else ("q01", "q99")
    one, two = (torch.tensor(fitted[name], dtype=torch.float32) for name in names)
    return (one, two) if normalisation == "mean_std" else ((one + two) / 2, (two - one) / 2)
