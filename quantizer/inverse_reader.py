"""A trained inverse dynamics folder in; what the robot does between two pictures out, for who imagines the second one."""

from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from lapa import checkpoint
from quantizer.inverse_dynamics import InverseDynamics
from quantizer.labellers import Actions, open_labeller

FACTS = ("fps", "gap_s", "state_names")


class InverseReader:
    """hash: of the weights. embodiment, state_names, action_names, absolute: of the robot; fps [Hz]: its control rate.

    gap_s [s] lies between two pictures; action_steps: as many actions.
    """

    def __init__(self, *, model: InverseDynamics, hash: str, fps: float, gap_s: float, state_names: list[str]) -> None:
        self.model, self.hash, self.fps, self.gap_s = model.eval(), hash, fps, gap_s
        self.state_names, self.action_names, self.absolute = state_names, model.action_names, model.absolute
        self.embodiment, self.image_px, self.action_steps = model.embodiment, model.image_px, model.action_steps

    @torch.inference_mode()
    def actions(
        self, before: UInt8[Tensor, "b 3 h w"], after: UInt8[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b action_steps d"]:
        """Relative to the state at the first picture, in the embodiment's units."""
        device = self.model.mean.device
        return self.model.actions(before.to(device), after.to(device)).cpu()


def load(path: str | Path, device: str) -> InverseReader:
    """The model of `lapa train experiment=inverse_dynamics` on `device`; ValueError when the folder holds another kind."""
    labeller = open_labeller(Path(path))
    if not isinstance(labeller, Actions):
        raise ValueError(f"{path} holds no inverse dynamics (lapa train experiment=inverse_dynamics)")
    facts = checkpoint.load_settings(Path(path))["facts"]
    if lacking := [key for key in FACTS if key not in facts]:
        raise ValueError(f"{path} does not tell {', '.join(lacking)}: train it again")
    told = {key: facts[key] for key in FACTS}
    return InverseReader(model=labeller.model.to(device), hash=checkpoint.weights_hash(Path(path)), **told)
