"""A demonstration in, chunks of actions out as they are guessed without a look at the pictures: what to compare with."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float32

from lapa.relative import state_sources

Chunks = Float32[np.ndarray, "m n d"]  # a chunk of n actions at each of m moments, in the robot's own units


class Guesses:
    """hold: stay where the joints are; repeat: do the last action again; mean: do the training's mean action.

    An action without a state of its name cannot be held: there `hold` repeats. Before the first action, `repeat` holds.
    """

    names = ("hold", "repeat", "mean")

    def __init__(
        self, *, state_names: Sequence[str], action_names: Sequence[str], mean: Float[np.ndarray, "d"]
    ) -> None:
        self.sources = np.array(state_sources(state_names, action_names, ()))
        self.mean = mean.astype(np.float32)

    def of(
        self, state: Float32[np.ndarray, "t s"], action: Float32[np.ndarray, "t d"], steps: int
    ) -> dict[str, Chunks]:
        """Chunks of `steps` guesses at every moment of one demonstration."""
        measured = np.where(self.sources >= 0, state[:, self.sources], self.mean)
        last = np.concatenate([measured[:1], action[:-1]])
        held = np.where(self.sources >= 0, measured, last)
        rows = {"hold": held, "repeat": last, "mean": np.broadcast_to(self.mean, action.shape)}
        return {name: np.repeat(values[:, None].astype(np.float32), steps, axis=1) for name, values in rows.items()}
