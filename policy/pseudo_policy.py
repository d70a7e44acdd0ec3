"""Batches of pseudo-actions in, an action policy out that has not felt its robot yet: what VPT pretrains (Baker et al. 2022)."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from policy.action_policy import ActionPolicy
from policy.heads.action import masked_mean
from policy.pseudo import Judged


class PseudoPolicy(ActionPolicy):
    """Learns a robot's actions from clips that an inverse dynamics model has labelled (policy/pseudo.py).

    Besides what ActionPolicy logs, which is held against the pseudo-actions: where the clips know the true ones,
    `truth_error` of the policy and `label_error` of the labels.
    """

    def setup_from(self, facts: Mapping[str, Any]) -> None:
        """As an action policy, deaf to the state, which no clip tells."""
        super().setup_from(facts)
        ignore_state(self.model.actions)

    def validation_step(self, batch: Judged, _: int) -> Tensor:  # type: ignore[override]
        """On clips never trained on, in normalised units."""
        step, truth = batch
        predicted = super().validation_step(step, _)
        if not truth.isnan().any():
            wanted, labels = (self.model.normaliser.normalise(step.state, each) for each in (truth, step.actions))
            errors = {"val/truth_error": predicted - wanted, "val/label_error": labels - wanted}
            rows = {name: masked_mean(error.abs(), step.action_mask) for name, error in errors.items()}
            self.log_dict(rows, batch_size=len(truth), prog_bar=True, sync_dist=True)
        return predicted


def ignore_state(head: nn.Module) -> None:
    """Make what reads the state zero, and keep it so: fine-tuning begins with the same actions in every state, and lets the
    state in little by little. ValueError when the head reads it by no module called `state`.
    """
    readers = [module for name, module in head.named_modules() if name.rpartition(".")[2] == "state"]
    if not readers:
        raise ValueError(f"{type(head).__name__} has no module `state`: it cannot be kept from reading it")
    for reader in readers:
        first = next(module for module in reader.modules() if isinstance(module, nn.Linear))
        nn.init.zeros_(first.weight)
        first.weight.requires_grad_(False)
