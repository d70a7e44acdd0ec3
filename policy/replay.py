"""A demonstration and a policy in; how far its actions are from the demonstration's, beside blind guesses, out."""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32

from lapa.records import Observation
from lapa.shards import ShardIndex
from lapa.stream import read_clip
from policy.baselines import Chunks, Guesses
from policy.data import read_videos
from policy.infer import Policy
from policy.normalise import cut_chunks

POLICY = "policy"  # beside the names of Guesses


class Errors(NamedTuple):
    """Sums over the moments of one demonstration."""

    key: str
    moments: int
    sums: dict[str, Float[np.ndarray, "n d"]]  # Σ |guess − truth| in the robot's own units, by who guessed
    counts: Float[np.ndarray, "n 1"]  # moments at which a step of the chunk exists


def replay_one(i: int, *, demos: ShardIndex, policy: Policy, guesses: Guesses, batch: int) -> Errors:
    """Every moment of a demonstration through the policy, as a robot would ask it, and through the guesses."""
    demo = read_clip(demos, i)
    state, action = demo["state.npy"].astype(np.float32), demo["action.npy"].astype(np.float32)
    told = {POLICY: ask(policy, demo, state, batch=batch)}
    steps = told[POLICY].shape[1]
    told |= guesses.of(state, action, steps)
    truth, mask = cut_chunks(action, steps)
    sums = {
        who: (np.abs(chunks - truth) * mask[..., None]).sum(axis=0, dtype=np.float64) for who, chunks in told.items()
    }
    return Errors(demos.keys[i], len(state), sums, mask.sum(axis=0)[:, None].astype(np.float64))


def ask(policy: Policy, demo: dict[str, Any], state: Float32[np.ndarray, "m s"], *, batch: int) -> Chunks:
    """The policy's chunk at every moment."""
    videos = read_videos(demo, policy.cameras)
    seen = [
        Observation(
            {name: frames[t] for name, frames in videos.items()}, demo["json"]["text"], torch.from_numpy(state[t])
        )
        for t in range(len(state))
    ]
    parts = [policy.act_batch(seen[first : first + batch]) for first in range(0, len(seen), batch)]
    return torch.stack([chunk.actions for part in parts for chunk in part]).numpy()
