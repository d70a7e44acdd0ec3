"""Pictures in, a transformers model's image tokens out: the ways in which families want their pixels, one function each."""

from typing import Any, NamedTuple

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor


class Seen(NamedTuple):
    """`tokens` of n pictures; `deep`: what is added to them after each of the first blocks (DeepStack, arXiv 2406.04334).

    `side`: tokens are numbered by row and column of a square of so many a side; 0: one after the other.
    """

    tokens: Float[Tensor, "n t d"]
    deep: tuple[Float[Tensor, "n t d"], ...]
    side: int


def pictures(model: Any, pixels: Float[Tensor, "n 3 p p"]) -> Seen:
    """As they are: PaliGemma, InternVL, LLaVA."""
    return Seen(_stacked(model.get_image_features(pixels).pooler_output), (), 0)


def lists(model: Any, pixels: Float[Tensor, "n 3 p p"]) -> Seen:
    """Each as a list of one picture: Idefics3, SmolVLM."""
    return pictures(model, pixels[:, None])


def patches(model: Any, pixels: Float[Tensor, "n 3 p p"]) -> Seen:
    """Cut into patches, those that will be merged side by side, each as a video's of frames that are alike: Qwen-VL.

    ValueError when the side is not a multiple of patch size × merge size.
    """
    config, (count, _, size, _) = model.config.vision_config, pixels.shape
    patch_px, merge = config.patch_size, config.spatial_merge_size
    if size % (patch_px * merge):
        raise ValueError(f"image_px={size} is no multiple of {patch_px * merge}, which this model's patches want")
    cut = rearrange(
        pixels, "n c (h m p) (w k q) -> (n h w m k) c p q", m=merge, k=merge, p=patch_px, q=patch_px
    )  # fmt: skip
    flat = repeat(cut, "n c p q -> n (c t p q)", t=config.temporal_patch_size)
    side = size // patch_px
    grid = torch.tensor([[1, side, side]], device=pixels.device).expand(count, 3)
    features = model.get_image_features(flat, image_grid_thw=grid)
    deep = tuple(_stacked(level) for level in getattr(features, "deepstack_features", None) or ())
    return Seen(_stacked(features.pooler_output), deep, side // merge)


def _stacked(tokens: Any) -> Float[Tensor, "n t d"]:
    return tokens if isinstance(tokens, Tensor) else torch.stack(list(tokens))
