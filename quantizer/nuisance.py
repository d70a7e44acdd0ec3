"""Frame pairs and codes in, what the codes speak of beside motion out: light, colour, camera, appearance, the clip itself."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from quantizer.blocks import to_unit
from quantizer.camera import Steady
from quantizer.probe import linear_probe
from quantizer.sample import Pairs, in_batches

MOTION = "motion"
THUMB_PX, COMPONENTS = 8, 8  # first-frame appearance: principal components of the frame shrunk to this
CAMERA_MOST, CAMERA_GAIN = 0.25, 0.1  # the largest shift looked for, and by which share most pixels must fit better
BATCH = 256
CAMERA_SHARE = 0.02  # of the pairs; where fewer have a shift, the camera stands still and what is found is noise
LEAST_SHARE = 0.01  # of the pairs; a code used less often is not judged
EXPLAINED = 0.05  # R²; what explains less of a code's use says nothing: nine numbers of 400 clips explain 0.02 by luck


class CodeMeaning(NamedTuple):
    """What best explains when a slot shows a code; `about` is "" when nothing explains EXPLAINED of it."""

    slot: int
    code: int
    share: float  # of the pairs
    about: str
    explained: dict[str, float]  # R² of the code's use by each quantity and its size


def quantities(pairs: Pairs) -> dict[str, Float[Tensor, "b m"]]:
    """What may change between two frames, or name the scene, without being the motion."""
    first, second = (images.float().div(255).mean((2, 3)) for images in (pairs.before, pairs.after))  # [b 3]
    change = second - first
    red_green, blue_yellow = change[:, 0] - change[:, 1], change[:, 2] - (change[:, 0] + change[:, 1]) / 2
    found = {"brightness": change.mean(1, keepdim=True), "colour": torch.stack((red_green, blue_yellow), 1)}
    camera = camera_shift(pairs.before, pairs.after)
    if (camera != 0).any(1).float().mean() >= CAMERA_SHARE:
        found["camera"] = camera
    return found | {"appearance": appearance(pairs.before)}


def appearance(images: Tensor) -> Float[Tensor, "b p"]:
    """The first principal components of small pictures."""
    small = F.adaptive_avg_pool2d(images.float() / 255, THUMB_PX).flatten(1)
    centred = small - small.mean(0)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    return centred @ axes[:COMPONENTS].T


def camera_shift(before: Tensor, after: Tensor) -> Float[Tensor, "b 2"]:
    """Shift (down, right; shares of the side) of the whole picture; zero where no shift fits most pixels better."""
    steady = Steady(most=CAMERA_MOST, gain=CAMERA_GAIN)

    def shift(before: Tensor, after: Tensor) -> Tensor:
        first, second = to_unit(before), to_unit(after)
        moved = (steady(first, second) != first).flatten(1).any(1)
        return torch.where(moved[:, None], steady.shift(first, second), 0.0)

    return in_batches(shift, BATCH, before, after)


def encoded(
    coded: Float[Tensor, "b d"], shuffled: Float[Tensor, "b d"], pairs: Pairs, known: dict[str, Tensor]
) -> dict[str, Any]:
    """For each quantity R² on held-out episodes from codes, from shuffled codes, and from the true motion, which may carry it."""
    sources = {"codes": coded, "shuffled": shuffled, MOTION: pairs.change}
    return {
        name: {source: linear_probe(features, value, pairs.clip) for source, features in sources.items()}
        for name, value in known.items()
    }


def clip_identity(values: Float[Tensor, "b d"], clip: Int64[Tensor, "b"]) -> float:
    """Share of the variance between clips, corrected for chance: 0 when clips do not differ, 1 when nothing else does."""
    _, number = clip.unique(return_inverse=True)
    groups, rows = int(number.max()) + 1, len(values)
    centred = values.double() - values.double().mean(0)
    sums = torch.zeros(groups, values.shape[1], dtype=torch.double).index_add_(0, number, centred)
    between = (sums.square() / torch.bincount(number)[:, None]).sum()
    share, chance = float(between / centred.square().sum().clamp_min(1e-12)), (groups - 1) / max(1, rows - 1)
    return (share - chance) / max(1 - chance, 1e-12)


def meanings(
    codes: Int64[Tensor, "b k"], num_codes: int, motion: Float[Tensor, "b m"], known: dict[str, Tensor]
) -> list[CodeMeaning]:
    """For each (slot, code) in use, which quantity best tells when it is used: motion, or one of `known`."""
    uses = F.one_hot(codes, num_codes).flatten(1).double()  # [b k·c]
    explained = {name: _explained(uses, value) for name, value in ({MOTION: motion} | known).items()}
    rows = []
    for column in (uses.mean(0) >= LEAST_SHARE).nonzero().flatten().tolist():
        scores = {name: float(values[column]) for name, values in explained.items()}
        best = max(scores, key=lambda name: scores[name])
        about = best if scores[best] >= EXPLAINED else ""
        slot, code = divmod(column, num_codes)
        rows.append(CodeMeaning(slot, code, float(uses[:, column].mean()), about, scores))
    return rows


def _explained(uses: Float[Tensor, "b u"], value: Float[Tensor, "b m"]) -> Float[Tensor, "u"]:
    """R² (adjusted) of each column of `uses` by least squares on a quantity and its size: "nothing moves" is a meaning too."""
    scaled = (value - value.mean(0)) / value.std(0).clamp_min(1e-9)
    size = (value / value.std(0).clamp_min(1e-9)).norm(dim=1, keepdim=True)
    features = torch.cat((scaled, size - size.mean()), 1).double()
    basis, _ = torch.linalg.qr(features)
    centred = uses - uses.mean(0)
    share = (basis.T @ centred).square().sum(0) / centred.square().sum(0).clamp_min(1e-12)
    rows, numbers = features.shape
    return 1 - (1 - share) * (rows - 1) / max(1, rows - numbers - 1)
