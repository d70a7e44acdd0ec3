"""A trained planner and inverse dynamics in; observations → action chunks out, by way of imagined pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import default_collate

from lapa import checkpoint
from lapa.files import value_hash
from lapa.records import ActionChunk, Observation, checked
from lapa.relative import state_sources
from policy.preflight import check_robot
from policy.trunk import stack_cameras
from policy.video_plan.model import KIND, Pictures, PlanModel


class Planner:
    """hash: of the weights. cameras, image_px: what it sees; gap_s [s], num_frames: how far ahead."""

    def __init__(self, *, model: PlanModel, device: torch.device, hash: str) -> None:
        self.model, self.device, self.hash = model.to(device).eval(), device, hash
        self.cameras, self.image_px = model.cameras, model.image_px
        self.gap_s, self.num_frames = model.gap_s, model.num_frames

    @torch.inference_mode()
    def imagine(self, images: Pictures, texts: list[str]) -> UInt8[Tensor, "b n 3 h w"]:
        """The n pictures that follow, one every `gap_s`; in the computer's own memory."""
        return self.model.imagine(images.to(self.device), texts).cpu()


def load_plan(path: str | Path, device: str) -> Planner:
    """The planner in `path` (a folder of `lapa train experiment=video_plan`) on `device` ("cpu", "cuda")."""
    folder = Path(path)
    saved = checkpoint.load_settings(folder)
    if saved.get("kind") != KIND:
        raise ValueError(f"{folder} holds a model of kind {saved.get('kind')!r}, not a {KIND}")
    model = PlanModel(**saved["model"])
    checkpoint.load_weights(folder, model)
    return Planner(model=model, device=torch.device(device), hash=checkpoint.weights_hash(folder))


class ImagineThenAct:
    """UniPi (Du et al. 2023, arXiv 2302.00111): imagine the pictures that follow, then read actions off them.

    inverse_dynamics: `actions(before, after)`, the actions between two pictures relative to the state at the first, and
    facts of its robot (quantizer/inverse_reader.py). Where the state at an imagined picture is not known, it is taken to be
    what the robot was told last. hash: of both. The rest is what a rollout asks of a policy (policy/infer.py).
    """

    def __init__(self, *, plan: Planner, inverse_dynamics: Any) -> None:
        check_halves(plan, inverse_dynamics)
        self.plan, self.inverse = plan, inverse_dynamics
        self.hash = value_hash([plan.hash, inverse_dynamics.hash])[:16]
        self.embodiment = inverse_dynamics.embodiment
        names = (inverse_dynamics.state_names, inverse_dynamics.action_names)
        self.state_names, self.action_names = (tuple(each) for each in names)
        self.sources = torch.tensor(state_sources(*names, inverse_dynamics.absolute))
        self.chunk_steps = plan.num_frames * inverse_dynamics.action_steps

    def preflight(self, robot: Mapping[str, Any]) -> None:
        """ValueError with every difference to a robot's facts; see policy.preflight.check_robot."""
        keys = ("embodiment", "state_names", "action_names", "chunk_steps")
        facts = {key: getattr(self, key) for key in keys} | {"fps": self.inverse.fps}
        facts |= {"cameras": self.plan.cameras, "image_px": self.plan.image_px}
        check_robot(facts, robot, origin=f"the plan with inverse dynamics {self.hash}")

    def act_batch(self, observations: Sequence[Observation]) -> list[ActionChunk]:
        """All of them side by side; ValueError names a camera that is missing or a state of another size."""
        for observation in observations:
            if len(checked(observation).state) != len(self.state_names):
                wanted = f"{len(self.state_names)}: {', '.join(self.state_names)}"
                raise ValueError(f"state has {len(observation.state)} numbers; this policy reads {wanted}")
        pictures = stack_cameras(default_collate([one.images for one in observations]), self.plan.cameras)
        imagined = self.plan.imagine(pictures, [one.text for one in observations])
        frames = torch.cat([pictures, imagined], dim=1)
        before, after = (rearrange(part, "b n c h w -> (b n) c h w") for part in (frames[:, :-1], frames[:, 1:]))
        relative = rearrange(self.inverse.actions(before, after), "(b n) t d -> b n t d", n=self.plan.num_frames)
        state = torch.stack([one.state for one in observations])
        return [ActionChunk(chunk) for chunk in self.absolute(relative, state)]

    def absolute(self, relative: Float[Tensor, "b n t d"], state: Float[Tensor, "b s"]) -> Float[Tensor, "b steps d"]:
        """Joint targets: each picture's actions from where those before it led."""
        follows = self.sources >= 0
        base, parts = torch.where(follows, state[:, self.sources.clamp(min=0)], 0.0), []
        for actions in relative.unbind(1):
            parts.append(actions + base[:, None])
            base = torch.where(follows, parts[-1][:, -1], 0.0)
        return torch.cat(parts, dim=1)


def check_halves(plan: Planner, inverse: Any) -> None:
    """ValueError when pictures are imagined at another gap or size than actions are read off."""
    faults = [
        f"{key} is {getattr(plan, key):g} in the plan, {getattr(inverse, key):g} in the inverse dynamics"
        for key in ("gap_s", "image_px") if getattr(plan, key) != getattr(inverse, key)
    ]  # fmt: skip
    if faults:
        raise ValueError("; ".join(faults))
