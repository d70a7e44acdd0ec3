"""Images in, one PNG with all of them in rows and columns out."""

from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from lapa.files import atomic_path

SCALE, GAP_PX = 2, 2


def save_grid(images: Float[Tensor, "r c 3 h w"], path: Path) -> None:
    """Write images in [0, 255] as one PNG, `GAP_PX` white pixels apart, enlarged `SCALE` times."""
    white = torch.nn.functional.pad(images.clamp(0, 255), (0, GAP_PX, 0, GAP_PX), value=255.0)
    grid = rearrange(white, "r c x h w -> (r h) (c w) x").round().to(torch.uint8).numpy()
    with atomic_path(path) as partial:
        Image.fromarray(np.kron(grid, np.ones((SCALE, SCALE, 1), np.uint8))).save(partial, format="PNG")
