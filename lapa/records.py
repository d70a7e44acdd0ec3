"""The words two rooms share: NamedTuples that cross a wall, with shape, dtype, unit and range beside each field."""

import typing
from typing import NamedTuple

from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor

Images = dict[str, UInt8[Tensor, "*b 3 h w"]]  # camera name → pixels in [0, 255]


class FramePair(NamedTuple):
    """Two frames of one clip, `gap_s` seconds apart; made by video_data, read by the quantizer.

    `label`: by how much the true state changed meanwhile, in its own units; NaN where nobody labelled, m = 0 without any.
    """

    key: str
    before: UInt8[Tensor, "*b 3 h w"]
    after: UInt8[Tensor, "*b 3 h w"]
    gap_s: Float32[Tensor, "*b"]
    text: str
    label: Float32[Tensor, "*b m"]


class LatentStep(NamedTuple):
    """What is seen, the words, and the k codes in [0, num_codes) of what happens in the next `gap_s` [s]; label → policy.

    before: the codes of the moment `gap_s` earlier, −1 where the clip was not yet going on. after: the picture `gap_s`
    later, 0 × 0 px when nobody asked. change: by how much the clip's true state changes meanwhile, NaN where it is unknown.
    """

    key: str
    images: Images
    text: str
    codes: Int64[Tensor, "*b k"]
    gap_s: Float32[Tensor, "*b"]
    before: Int64[Tensor, "*b k"]
    after: UInt8[Tensor, "*b 3 h w"]
    change: Float32[Tensor, "*b m"]


class Demo(NamedTuple):
    """A step of a demonstration with the n actions that follow, in the embodiment's units; collect → policy.

    `action_mask` is false past the demonstration's end, and in dimensions that its robot lacks. codes: latent codes of what
    happens next, −1 where nobody knows them; k is 0 when nobody asked.
    """

    key: str
    images: Images
    text: str
    state: Float32[Tensor, "*b s"]
    actions: Float32[Tensor, "*b n d"]
    action_mask: Bool[Tensor, "*b n d"]
    codes: Int64[Tensor, "*b k"]


class Observation(NamedTuple):
    """What a robot sees and feels now; env → policy."""

    images: Images
    text: str
    state: Float32[Tensor, "s"]


class ActionChunk(NamedTuple):
    """The next n actions in the embodiment's own units; policy → control."""

    actions: Float32[Tensor, "n d"]


Record = typing.TypeVar("Record", FramePair, LatentStep, Demo, Observation, ActionChunk)


def checked(record: Record) -> Record:
    """Return `record` when its tensors have the declared dtypes and shapes; TypeError names the field otherwise.

    jaxtyping does not check a NamedTuple by itself, so this runs where a record crosses a wall (about 50 µs).
    """
    sizes: dict[str, int] = {}
    for name, hint in type(record).__annotations__.items():
        _check_field(type(record).__name__ + "." + name, getattr(record, name), hint, sizes)
    return record


def _check_field(name: str, value: object, hint: type, sizes: dict[str, int]) -> None:
    if hint is Images:
        if not isinstance(value, dict) or not value:
            raise TypeError(f"{name} must map camera names to pixels, got {type(value).__name__}")
        for camera, pixels in value.items():
            _check_tensor(f"{name}[{camera!r}]", pixels, typing.get_args(Images)[1], {})
    elif hasattr(hint, "dtypes"):
        _check_tensor(name, value, hint, sizes)


def _check_tensor(name: str, value: object, hint: typing.Any, sizes: dict[str, int]) -> None:
    fixed = [axis for axis in hint.dim_str.split() if not axis.startswith("*")]
    if not isinstance(value, Tensor) or str(value.dtype).removeprefix("torch.") not in hint.dtypes:
        raise TypeError(f"{name} must be {hint.dtypes} [{hint.dim_str}], got {getattr(value, 'dtype', type(value))}")
    shape = tuple(value.shape)
    exact = "*" not in hint.dim_str
    if len(shape) < len(fixed) or (exact and len(shape) != len(fixed)):
        raise TypeError(f"{name} must have shape [{hint.dim_str}], got {shape}")
    for axis, size in zip(fixed, shape[len(shape) - len(fixed) :], strict=True):
        expected = int(axis) if axis.isdigit() else sizes.setdefault(axis, size)
        if size != expected:
            raise TypeError(f"{name}: axis {axis!r} is {size}, expected {expected}; shape {shape}")
