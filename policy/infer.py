"""A trained policy's folder in; observations → action chunks out, all that a robot needs, or pictures → latent codes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from lapa import checkpoint
from lapa.files import file_hash
from lapa.records import ActionChunk, Observation, checked
from policy.models import ActionModel, LatentModel


class Policy:
    """hash: of the weights. embodiment: the robot it moves. cameras, state_names, action_names: what it needs."""

    def __init__(self, *, model: ActionModel, device: torch.device, hash: str) -> None:
        self.model, self.device, self.hash = model.to(device).eval(), device, hash
        self.embodiment, self.cameras = model.embodiment, model.cameras
        self.state_names, self.action_names = model.normaliser.state_names, model.normaliser.action_names

    def act(self, observation: Observation) -> ActionChunk:
        """The next n actions, in the robot's own units and in the order of `action_names`."""
        return self.act_batch([observation])[0]

    def act_batch(self, observations: Sequence[Observation]) -> list[ActionChunk]:
        """One pass for all; ValueError names a camera that is missing or a state of another size."""
        for observation in observations:
            checked(observation)
            self._check_cameras(observation)
        images = {name: torch.stack([o.images[name] for o in observations]).to(self.device) for name in self.cameras}
        state = torch.stack([o.state for o in observations]).to(self.device)
        actions = self.model.act(images, [o.text for o in observations], state)
        return [ActionChunk(chunk) for chunk in actions.cpu()]

    def _check_cameras(self, observation: Observation) -> None:
        missing = [name for name in self.cameras if name not in observation.images]
        if missing:
            raise ValueError(f"no camera {missing[0]!r}; this observation has {sorted(observation.images)}")


def load(path: str | Path, device: str) -> Policy:
    """The policy in `path` (a folder of `lapa train experiment=action_policy`) on `device` ("cpu", "cuda")."""
    folder = Path(path)
    model = ActionModel(**_settings(folder, kind="action", words="an action policy"))
    checkpoint.load_weights(folder, model)
    return Policy(model=model, device=torch.device(device), hash=file_hash(checkpoint.weights_path(folder))[:16])


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
    model = LatentModel(**_settings(folder, kind="latent", words="a latent policy"))
    checkpoint.load_weights(folder, model)
    return Thinker(model=model, device=torch.device(device))


def _settings(folder: Path, *, kind: str, words: str) -> dict[str, Any]:
    """A model's constructor arguments; ValueError when the folder holds one of another kind."""
    settings = checkpoint.load_settings(folder)
    if settings.get("kind") != kind:
        raise ValueError(f"{folder} holds a model of kind {settings.get('kind')!r}, not {words}")
    return settings["model"]
