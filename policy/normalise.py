"""Actions in a robot's own units ↔ numbers near one: relative to the present state, scaled by the demonstrations."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from lapa.relative import STILL, state_sources


def cut_chunk(actions: np.ndarray, start: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """actions [t, d] → (`steps` of them from `start` [n, d], which exist [n]); past the end the last is repeated."""
    places = np.arange(start, start + steps)
    return actions[np.minimum(places, len(actions) - 1)], places < len(actions)


def fit_statistics(
    demos: Iterable[tuple[np.ndarray, np.ndarray]], *, sources: Sequence[int], chunk_steps: int
) -> dict[str, Any]:
    """(state [t, s], action [t, d]) of each demonstration → JSON-able means and standard deviations.

    Actions have one pair for each step of the chunk [n, d]: the farther ahead, the farther the arm has gone.
    """
    states, chunks, masks = [], [], []
    for state, action in demos:
        cuts = [cut_chunk(action, i, chunk_steps) for i in range(len(action))]
        base = _base(torch.from_numpy(state), sources).numpy()
        states.append(state)
        chunks.append(np.stack([chunk for chunk, _ in cuts]) - base[:, None])
        masks.append(np.stack([mask for _, mask in cuts]))
    if not states:
        raise ValueError("no demonstration to fit statistics on")
    state, chunk, mask = (np.concatenate(parts).astype(np.float64) for parts in (states, chunks, masks))
    steps = [chunk[mask[:, i] > 0, i] for i in range(chunk_steps)]
    return {"state": _moments([state]), "action": _moments([rows if len(rows) else chunk[:, 0] for rows in steps])}


def _moments(columns: list[np.ndarray]) -> dict[str, list[list[float]]]:
    return {"mean": [rows.mean(0).tolist() for rows in columns], "std": [rows.std(0).tolist() for rows in columns]}


def _base(state: Tensor, sources: Sequence[int]) -> Tensor:
    columns = [state[..., i] if i >= 0 else torch.zeros_like(state[..., 0]) for i in sources]
    return torch.stack(columns, dim=-1)


class Normaliser(nn.Module):
    """`normalise` and `denormalise` are inverse to each other for any state. Statistics lie in settings.json."""

    state_mean: Tensor
    state_std: Tensor
    action_mean: Tensor
    action_std: Tensor

    def __init__(
        self, *, state_names: Sequence[str], action_names: Sequence[str], absolute: Sequence[str],
        statistics: dict[str, Any],
    ) -> None:  # fmt: skip
        super().__init__()
        self.state_names, self.action_names = tuple(state_names), tuple(action_names)
        self.sources = state_sources(state_names, action_names, absolute)
        for kind in ("state", "action"):
            mean, std = (torch.tensor(statistics[kind][name], dtype=torch.float32) for name in ("mean", "std"))
            self.register_buffer(f"{kind}_mean", mean, persistent=False)
            self.register_buffer(f"{kind}_std", torch.where(std < STILL, 1.0, std), persistent=False)

    def state(self, state: Float[Tensor, "b s"]) -> Float[Tensor, "b s"]:
        """Own units → zero mean, unit deviation; ValueError when the number of states is another."""
        if state.shape[-1] != len(self.state_names):
            wanted = f"{len(self.state_names)}: {', '.join(self.state_names)}"
            raise ValueError(f"state has {state.shape[-1]} numbers; this policy reads {wanted}")
        return (state - self.state_mean) / self.state_std

    def normalise(self, state: Float[Tensor, "b s"], actions: Float[Tensor, "b n a"]) -> Float[Tensor, "b n a"]:
        """Own units → relative to `state` and scaled."""
        return (actions - _base(state, self.sources)[:, None] - self.action_mean) / self.action_std

    def denormalise(self, state: Float[Tensor, "b s"], scaled: Float[Tensor, "b n a"]) -> Float[Tensor, "b n a"]:
        """The inverse: what the robot is told."""
        return scaled * self.action_std + self.action_mean + _base(state, self.sources)[:, None]
