"""The two networks that are saved and loaded: LatentModel (→ codes) and ActionModel (→ action chunks)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from lapa import checkpoint
from lapa.records import Images
from policy.bodies import make_normaliser
from policy.heads.action import ActionHead
from policy.trunk import ALLOWED, Trunk, stack_cameras


class Foretold(NamedTuple):
    """What a latent policy says of the next moment, and the hidden states it reads that from."""

    logits: Float[Tensor, "b k n"]
    hidden: Float[Tensor, "b k d"]


class LatentModel(nn.Module):
    """Pictures and words → logits of the k latent codes of what happens next.

    gaps_s: what "next" may mean [s]; where there are several, the words say which. future: an image decoder, or None.
    """

    def __init__(
        self, *, backbone: Mapping[str, Any], head: Mapping[str, Any], num_codes: int, codes_per_step: int,
        cameras: Sequence[str], gaps_s: Sequence[float], future: Mapping[str, Any] | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.cameras, self.num_codes, self.gaps_s = tuple(cameras), num_codes, tuple(gaps_s)
        self.trunk = Trunk(backbone=backbone, codes_per_step=codes_per_step)
        sizes = {"width": self.trunk.backbone.width, "codes_per_step": codes_per_step}
        self.codes = checkpoint.build(head, allowed=ALLOWED)(**sizes, num_codes=num_codes)
        self.future = None if future is None else checkpoint.build(future, allowed=ALLOWED)(**sizes)

    def forward(
        self, images: Tensor, texts: list[str], codes: Int64[Tensor, "b k"], gap_s: Float[Tensor, "b"]
    ) -> Foretold:
        """Logits given the true codes, as in training."""
        hidden = self.trunk(images, self.told(texts, gap_s.tolist()), self.codes.hints(codes))
        return Foretold(self.codes.read(hidden), hidden)

    def hidden(self, images: Tensor, texts: list[str], gap_s: Float[Tensor, "b"]) -> Float[Tensor, "b k d"]:
        """The states without any code known."""
        return self.trunk(images, self.told(texts, gap_s.tolist()))

    def predict(self, images: Images, texts: list[str]) -> Int64[Tensor, "b k"]:
        """The likeliest codes of the next `gaps_s[0]` seconds."""
        told = self.told(texts, [self.gaps_s[0]] * len(texts))
        return self.codes.predict(self.trunk, stack_cameras(images, self.cameras), told)

    def told(self, texts: list[str], gaps_s: list[float]) -> list[str]:
        """The words, and, to a model of several gaps, how far ahead it shall look."""
        if len(self.gaps_s) == 1:
            return texts
        return [f"{text} in {gap_s:.3g} seconds" for text, gap_s in zip(texts, gaps_s, strict=True)]


class ActionModel(nn.Module):
    """Pictures, words and state → the next n actions in the robot's own units.

    statistics: of the demonstrations (policy/normalise.py), under "head" what the head was fitted to.
    """

    def __init__(
        self, *, backbone: Mapping[str, Any], head: Mapping[str, Any], codes_per_step: int, chunk_steps: int,
        cameras: Sequence[str], embodiment: str, state_names: Sequence[str], action_names: Sequence[str],
        absolute: Sequence[str], statistics: dict[str, Any], normalisation: str,
    ) -> None:  # fmt: skip
        super().__init__()
        self.cameras, self.embodiment = tuple(cameras), embodiment
        self.trunk = Trunk(backbone=backbone, codes_per_step=codes_per_step)
        self.normaliser = make_normaliser(
            state_names=state_names, action_names=action_names, absolute=absolute, statistics=statistics,
            normalisation=normalisation,
        )  # fmt: skip
        sizes = {"width": self.trunk.backbone.width, "codes_per_step": codes_per_step, "chunk_steps": chunk_steps}
        sizes |= {"state_dim": len(state_names), "action_dim": len(action_names)}
        built = checkpoint.build(head, allowed=ALLOWED)(**sizes, statistics=statistics)
        assert isinstance(built, ActionHead), f"{type(built).__name__} is no action head (policy/heads/action.py)"
        self.actions: Any = built
        self.codes: Any = None  # a latent policy's head, while its loss is kept
        self.keep_latents = 0.0

    def keep(self, codes: nn.Module | None, weight: float) -> None:
        """Go on learning latent codes with the head `codes`; its loss counts `weight` times. With None no longer."""
        self.codes, self.keep_latents = codes, weight

    def loss(
        self, images: Tensor, texts: list[str], state: Float[Tensor, "b s"], actions: Float[Tensor, "b n a"],
        mask: Bool[Tensor, "b n a"], codes: Int64[Tensor, "b k"] | None = None,
    ) -> Float[Tensor, ""]:  # fmt: skip
        """What the head's training makes small, and the kept code head's; state and actions in the robot's units.

        Codes of −1 are nobody's.
        """
        hidden = self.trunk(images, texts)
        wanted = self.normaliser.normalise(state, actions)
        loss = self.actions.loss(hidden, self.normaliser.state(state), wanted, mask)
        if self.codes is None:
            return loss
        assert codes is not None
        return loss + self.keep_latents * self._foretelling(hidden, images, texts, codes)

    def _foretelling(
        self, hidden: Float[Tensor, "b k d"], images: Tensor, texts: list[str], codes: Int64[Tensor, "b k"]
    ) -> Float[Tensor, ""]:
        """Cross-entropy of the codes that are known."""
        hints = self.codes.hints(codes.clamp(min=0))
        logits = self.codes.read(hidden if hints is None else self.trunk(images, texts, hints)).float()
        errors = nn.functional.cross_entropy(logits.flatten(0, 1), codes.flatten(), ignore_index=-1, reduction="sum")
        return errors / (codes >= 0).sum().clamp(min=1)

    def forward(self, images: Tensor, texts: list[str], state: Float[Tensor, "b s"]) -> Float[Tensor, "b n a"]:
        """Normalised actions; what validation compares with normalised demonstrations."""
        return self.actions.act(self.trunk(images, texts), self.normaliser.state(state))

    @torch.inference_mode()
    def act(self, images: Images, texts: list[str], state: Float[Tensor, "b s"]) -> Float[Tensor, "b n a"]:
        """Actions in the robot's units."""
        scaled = self(stack_cameras(images, self.cameras), texts, state)
        return self.normaliser.denormalise(state, scaled.float())
