"""A checkout of LAPA's repository in, its own quantizer out, for benchmarks that run it beside ours."""

import sys
import types
from pathlib import Path

import torch
from sprites import sprites
from torch import nn


def laq(
    repository: Path, *, image_px: int, patch_px: int, dim: int, quant_dim: int, depth: int, dim_head: int, heads: int
) -> nn.Module:
    """Its model class as it stands, 4 codes of 8; what its package needs besides (trainer, loggers, a GPU) is left out."""
    package = types.ModuleType("laq_model")
    package.__path__ = [str(repository / "laq" / "laq_model")]  # without its __init__, which imports the trainer
    unchecked = types.ModuleType("beartype")
    unchecked.beartype = lambda function: function  # type: ignore[attr-defined]
    sys.modules |= {"laq_model": package}
    sys.modules.setdefault("beartype", unchecked)
    from laq_model import latent_action_quantization as file

    nsvq = file.NSVQ
    file.NSVQ = lambda **settings: nsvq(**settings | {"device": "cpu"})  # its constructor asks for CUDA
    return file.LatentActionQuantization(
        dim=dim, quant_dim=quant_dim, codebook_size=8, image_size=image_px, patch_size=patch_px, spatial_depth=depth,
        temporal_depth=depth, dim_head=dim_head, heads=heads, code_seq_len=4,
    )  # fmt: skip


def as_video(batch: int, image_px: int) -> torch.Tensor:
    """Sprites as LAPA reads them: [b 3 2 h w] in [0, 1]."""
    return torch.stack(sprites(batch, image_px, seed=0)[:2], 2).float() / 255
