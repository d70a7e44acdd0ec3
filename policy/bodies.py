"""Several robots in, one out: states and actions as wide as the widest has them, normalised by each robot's own statistics."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from policy.heads.action import Examples
from policy.normalise import Moments, Normaliser

Facts = Mapping[str, Any]
JOIN = "+"  # between the robots' names, in the name of all
OWN = ("state_names", "action_names", "absolute", "statistics")  # what each robot has of its own


class Body(NamedTuple):
    """One of several `robots`. Padding stands at the end, as in pi0 (Black et al. 2024, arXiv 2410.24164); behind a state stands
    a column a robot, 1 in this one's: the weights that read it are the robot's learnt embedding.
    """

    place: int
    robots: int
    state_dim: int  # of the widest
    action_dim: int

    def widen_state(self, state: Float[Tensor, "*b s"]) -> Float[Tensor, "*b S"]:
        """The robot's own → what the network takes."""
        which = nn.functional.one_hot(torch.tensor(self.place, device=state.device), self.robots).to(state.dtype)
        return torch.cat([pad(state, self.state_dim), which.expand(*state.shape[:-1], -1)], dim=-1)

    def rows(self, state: Float[Tensor, "b S"]) -> Bool[Tensor, "b"]:
        """Which of a batch are this robot's."""
        return state[:, self.state_dim + self.place] == 1

    def widen_actions(self, actions: Tensor) -> Tensor:
        """[*b n a] → [*b n A]; a mask becomes false where this robot has no joint."""
        return pad(actions, self.action_dim)


def tell(text: str, embodiment: str) -> str:
    """The instruction to a network that is also to read whom it moves."""
    return f"{text} with {embodiment}"


def pad(values: Tensor, width: int, fill: float = 0.0) -> Tensor:
    """The last axis up to `width`."""
    return nn.functional.pad(values, (0, width - values.shape[-1]), value=fill)


def join(robots: Mapping[str, Facts]) -> dict[str, Any]:
    """Facts of each robot, by name → those of one that stands for all; each one's statistics lie in its `statistics`."""
    bodies = bodies_of(robots)
    body = next(iter(bodies.values()))
    rows = {name: {key: robots[name][key] for key in OWN} for name in bodies}
    return {
        "embodiment": JOIN.join(bodies),
        "state_names": [*(f"state{i + 1}" for i in range(body.state_dim)), *bodies],
        "action_names": [f"action{i + 1}" for i in range(body.action_dim)],
        "absolute": [],
        "statistics": {"bodies": rows},
        "examples": {name: robots[name]["examples"] for name in bodies},
    }


def bodies_of(robots: Mapping[str, Facts]) -> dict[str, Body]:
    """By name, in the names' order: which folder was named first changes nothing."""
    widths = [max(len(row[key]) for row in robots.values()) for key in ("state_names", "action_names")]
    return {name: Body(i, len(robots), *widths) for i, name in enumerate(sorted(robots))}


def each_robot(facts: Facts) -> dict[str, dict[str, Any]]:
    """Facts of a checkpoint or of data → those of each of its robots, by name; `embodiments` are all names."""
    robots = facts.get("statistics", {}).get("bodies")
    if robots is None:
        return {facts.get("embodiment", ""): dict(facts)}
    names = {"embodiments": list(robots)}
    return {name: {**facts, **row, **names, "embodiment": name} for name, row in robots.items()}


class Bodies(nn.Module):
    """A Normaliser whose rows are of several robots: those of `statistics["bodies"]`, each by its own (see `Body`).

    What is absolute each robot says for itself."""

    state_centre: Tensor
    state_scale: Tensor
    action_centre: Tensor
    action_scale: Tensor
    sources: Tensor

    def __init__(
        self, *, state_names: Sequence[str], action_names: Sequence[str], absolute: Sequence[str],
        statistics: dict[str, Any], normalisation: str,
    ) -> None:  # fmt: skip
        super().__init__()
        self.state_names, self.action_names = tuple(state_names), tuple(action_names)
        robots: Mapping[str, Any] = statistics["bodies"]
        self.bodies = bodies_of(robots)
        self.robots = {name: Normaliser(**robots[name], normalisation=normalisation) for name in self.bodies}
        body = next(iter(self.bodies.values()))
        for kind, width in (("state", body.state_dim), ("action", body.action_dim)):
            for part, fill in (("centre", 0.0), ("scale", 1.0)):
                rows = [pad(getattr(robot, f"{kind}_{part}"), width, fill) for robot in self.robots.values()]
                self.register_buffer(f"{kind}_{part}", torch.stack(rows), persistent=False)
        sources = [pad(torch.tensor(robot.sources), body.action_dim, -1) for robot in self.robots.values()]
        self.register_buffer("sources", torch.stack(sources), persistent=False)

    def state(self, state: Float[Tensor, "b s"]) -> Float[Tensor, "b s"]:
        """Own units → scaled; the columns that say which robot it is stay as they are."""
        assert state.shape[-1] == len(self.state_names), (state.shape, self.state_names)
        own, which = self._split(state)
        scaled = (own - self.state_centre[which, 0]) / self.state_scale[which, 0]
        return torch.cat([scaled, state[:, own.shape[1] :]], dim=1)

    def normalise(self, state: Float[Tensor, "b s"], actions: Float[Tensor, "b n a"]) -> Float[Tensor, "b n a"]:
        """Own units → relative to `state` and scaled."""
        own, which = self._split(state)
        return (actions - self._base(own, which) - self.action_centre[which]) / self.action_scale[which]

    def denormalise(self, state: Float[Tensor, "b s"], scaled: Float[Tensor, "b n a"]) -> Float[Tensor, "b n a"]:
        """The inverse: what the robots are told."""
        own, which = self._split(state)
        return scaled * self.action_scale[which] + self.action_centre[which] + self._base(own, which)

    def examples(self, moments: Mapping[str, Moments]) -> Examples:
        """What a head is fitted on: each robot's, one after the other."""
        parts = [robot.examples(moments[name]) for name, robot in self.robots.items()]
        more = [[(0, 0), (0, 0), (0, len(self.action_names) - part.chunks.shape[2])] for part in parts]
        padded = [Examples(*(np.pad(rows, pads) for rows in part)) for part, pads in zip(parts, more, strict=True)]
        return Examples(*(np.concatenate(column) for column in zip(*padded, strict=True)))

    def _split(self, state: Float[Tensor, "b s"]) -> tuple[Float[Tensor, "b w"], Int64[Tensor, "b"]]:
        count = len(self.bodies)
        return state[:, :-count], state[:, -count:].argmax(dim=1)

    def _base(self, own: Float[Tensor, "b w"], which: Int64[Tensor, "b"]) -> Float[Tensor, "b 1 a"]:
        """What actions are relative to."""
        sources = self.sources[which]
        return torch.where(sources >= 0, own.gather(1, sources.clamp(min=0)), 0.0)[:, None]


def make_normaliser(*, statistics: dict[str, Any], **names: Any) -> Normaliser | Bodies:
    """For one robot, or for the several whose statistics these are."""
    return (Bodies if "bodies" in statistics else Normaliser)(statistics=statistics, **names)
