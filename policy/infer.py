"""A trained policy's folder in; observations → action chunks out, all that a robot needs, or pictures → latent codes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor

from lapa import checkpoint
from lapa.records import ActionChunk, Observation, checked
from policy.bodies import each_robot, tell
from policy.models import ActionModel, LatentModel
from policy.preflight import check_robot, read_facts


class Policy:
    """hash: of the weights. embodiment: the robot it moves. cameras, state_names, action_names: what it needs.

    facts: all that its checkpoint says; chunk_steps: actions a chunk; fps: the control rate [Hz], image_px: the side of
    the pictures it was trained on, both None when the data did not tell.
    """

    def __init__(self, *, model: ActionModel, device: torch.device, hash: str, facts: Mapping[str, Any]) -> None:
        self.model, self.device, self.hash, self.facts = model.to(device).eval(), device, hash, dict(facts)
        self.embodiment, self.cameras = str(facts["embodiment"]), model.cameras
        self.state_names, self.action_names = tuple(facts["state_names"]), tuple(facts["action_names"])
        self.body = model.normaliser.bodies.get(self.embodiment)  # None: the network has no other
        self.name_robot = bool(facts.get("name_robot", False))
        self.chunk_steps: int = facts["chunk_steps"]
        self.fps: float | None = facts.get("fps")
        self.image_px: int | None = facts.get("image_px")
        self.batch_sizes: Sequence[int] = ()  # a batch is filled up to the next of them; none: as it comes

    def preflight(self, robot: Mapping[str, Any]) -> None:
        """ValueError with every difference to a robot's facts; see policy.preflight.check_robot."""
        check_robot(self.facts, robot, origin=f"the policy {self.hash}")

    @property
    def counts(self) -> Mapping[str, int]:
        """What went wrong since it was loaded, of how many chunks; empty where a head cannot fail (all but fast)."""
        return getattr(self.model.actions, "counts", {})

    def act(self, observation: Observation) -> ActionChunk:
        """The next n actions, in the robot's own units and in the order of `action_names`."""
        return self.act_batch([observation])[0]

    def check(self, observation: Observation) -> None:
        """ValueError when a camera is missing, the state is of another size or not finite, the text is too long.

        What a server asks before it puts a request among those of others.
        """
        checked(observation)
        self._check_cameras(observation)
        self._check_state(observation.state)
        self.model.trunk.backbone.tokenise([self._told(observation)], torch.device("cpu"))

    def act_batch(self, observations: Sequence[Observation]) -> list[ActionChunk]:
        """One pass for all; ValueError names a camera that is missing, a state of another size, actions that are no numbers."""
        for observation in observations:
            checked(observation)
            self._check_cameras(observation)
            self._check_state(observation.state)
        filled = self._filled(observations)
        images = {name: torch.stack([o.images[name] for o in filled]).to(self.device) for name in self.cameras}
        state = torch.stack([o.state for o in filled]).to(self.device)
        state = state if self.body is None else self.body.widen_state(state)
        actions = self.model.act(images, [self._told(o) for o in filled], state)
        chunks = actions[: len(observations), :, : len(self.action_names)].cpu()
        self._check_finite(chunks)
        return [ActionChunk(chunk) for chunk in chunks]

    def _told(self, observation: Observation) -> str:
        return tell(observation.text, self.embodiment) if self.name_robot else observation.text

    def _filled(self, observations: Sequence[Observation]) -> list[Observation]:
        """With the last one again and again, up to a batch size that the network has seen."""
        count = len(observations)
        size = min((size for size in self.batch_sizes if size >= count), default=count)
        return [*observations, *[observations[-1]] * (size - count)]

    def _check_cameras(self, observation: Observation) -> None:
        missing = [name for name in self.cameras if name not in observation.images]
        if missing:
            raise ValueError(f"no camera {missing[0]!r}; this observation has {sorted(observation.images)}")

    def _check_finite(self, chunks: Float32[Tensor, "b n a"]) -> None:
        """No robot is to be told NaN: of weights that diverged, or a state beyond all measure."""
        fine = chunks.isfinite().all(dim=(0, 1)).tolist()
        if not all(fine):
            wrong = ", ".join(name for name, each in zip(self.action_names, fine, strict=True) if not each)
            raise ValueError(f"the policy {self.hash} answers what is not finite at {wrong}")

    def _check_state(self, state: Float32[Tensor, "s"]) -> None:
        names = self.state_names
        if len(state) != len(names):
            raise ValueError(f"state has {len(state)} numbers; this policy reads {len(names)}: {', '.join(names)}")
        if not state.isfinite().all():
            wrong = [name for name, fine in zip(names, state.isfinite().tolist(), strict=True) if not fine]
            raise ValueError(f"state is not finite at {', '.join(wrong)}")


def load(path: str | Path, device: str, embodiment: str | None = None) -> Policy:
    """The policy in `path` (a folder of `lapa train experiment=action_policy`) on `device` ("cpu", "cuda").

    embodiment: the robot it is to move; None where it was trained for one only. ValueError names those there are.
    """
    folder = Path(path)
    saved = _settings(folder, kind="action", words="an action policy")
    facts = _facts_of(each_robot(read_facts(saved)), embodiment, folder)
    model = ActionModel(**saved["model"])
    checkpoint.load_weights(folder, model)
    return Policy(model=model, device=torch.device(device), hash=checkpoint.weights_hash(folder)[:16], facts=facts)


def _facts_of(robots: Mapping[str, dict[str, Any]], embodiment: str | None, folder: Path) -> dict[str, Any]:
    """Those of the robot that is meant."""
    if embodiment is None and len(robots) > 1:
        raise ValueError(
            f"{folder} moves {', '.join(robots)}: embodiment=… says which (lapa rollout policy=several_robots)"
        )
    chosen = next(iter(robots)) if embodiment is None else embodiment
    if chosen not in robots:
        raise ValueError(f"{folder} moves {' or '.join(robots)}, not {chosen!r}")
    return robots[chosen]


class Thinker:
    """A latent policy: what it would have happen next. num_codes, codes_per_step: of the codes that it names."""

    def __init__(self, *, model: LatentModel, device: torch.device) -> None:
        self.model, self.device = model.to(device).eval(), device
        self.num_codes, self.codes_per_step = model.num_codes, len(model.trunk.queries)

    @torch.inference_mode()
    def codes(self, images: UInt8[Tensor, "b 3 h w"], texts: list[str]) -> Int64[Tensor, "b k"]:
        """The likeliest codes of what happens next in each picture, which is that of its only camera."""
        return self.model.predict({self.model.cameras[0]: images.to(self.device)}, texts).cpu()


def load_latent(path: str | Path, device: str) -> Thinker:
    """The latent policy in `path` (a folder of `lapa train experiment=latent_policy`) on `device` ("cpu", "cuda")."""
    folder = Path(path)
    model = LatentModel(**_settings(folder, kind="latent", words="a latent policy")["model"])
    checkpoint.load_weights(folder, model)
    checkpoint.weights_hash(folder)
    return Thinker(model=model, device=torch.device(device))


def _settings(folder: Path, *, kind: str, words: str) -> dict[str, Any]:
    """What rebuilds a model; ValueError when the folder holds one of another kind."""
    settings = checkpoint.load_settings(folder)
    if settings.get("kind") != kind:
        raise ValueError(f"{folder} holds a model of kind {settings.get('kind')!r}, not {words}")
    return settings
