"""A client's dictionary in, an Observation out; a yaml says by which names clients call what the policy needs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from einops import rearrange
from jaxtyping import UInt8
from torch import Tensor, nn

from lapa.records import ActionChunk, Observation


class Served(Protocol):
    """What a server needs of a policy; policy.infer.Policy is one."""

    hash: str
    embodiment: str
    cameras: Sequence[str]
    state_names: Sequence[str]
    action_names: Sequence[str]
    chunk_steps: int
    fps: float | None  # [Hz]
    image_px: int | None
    facts: dict[str, Any]

    @property
    def counts(self) -> Mapping[str, int]:
        """What went wrong since it was loaded, of how many chunks; told beside the timings."""

    def preflight(self, robot: Mapping[str, Any]) -> None:
        """ValueError with every difference to a robot's facts."""

    def check(self, observation: Observation) -> None:
        """ValueError when it could not act on this one."""

    def act_batch(self, observations: Sequence[Observation]) -> list[ActionChunk]:
        """One pass for all."""


class Keys(NamedTuple):
    """Names in a request, the first that is there is taken; `{camera}` stands for each of the policy's cameras."""

    images: Sequence[str]
    first_camera: Sequence[str]  # names of the picture of the policy's first camera
    state: Sequence[str]
    text: Sequence[str]


def read_observation(request: Mapping[str, Any], policy: Served, *, keys: Keys, resize: bool) -> Observation:
    """ValueError names what is missing and what was sent; {"images": {"front": …}} is the same as {"images/front": …}.

    resize: whether pictures of another size are scaled (with antialiasing) to what the policy was trained on.
    """
    sent = dict(_flat(request))
    images = {}
    for number, camera in enumerate(policy.cameras):
        names = [key.format(camera=camera) for key in keys.images] + list(keys.first_camera if number == 0 else ())
        picture = _picture(_find(sent, names, f"no picture of camera {camera!r}"), camera)
        images[camera] = _fitted(picture, camera, policy.image_px, resize=resize)
    text = _find(sent, keys.text, "no instruction")
    if not isinstance(text, str):
        raise ValueError(f"the instruction must be text, got {type(text).__name__}")
    return Observation(images, text, _state(_find(sent, keys.state, "no state")))


def _flat(request: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in request.items():
        if isinstance(value, Mapping) and not prefix:
            yield from _flat(value, f"{key}/")
        else:
            yield f"{prefix}{key}", value


def _find(sent: Mapping[str, Any], names: Sequence[str], words: str) -> Any:
    for name in names:
        if name in sent:
            return sent[name]
    raise ValueError(f"{words} ({' or '.join(names)}); this request has {sorted(map(str, sent))[:16]}")


def _picture(array: Any, camera: str) -> UInt8[Tensor, "3 h w"]:
    """[h w 3] or [3 h w]; uint8 only, as [0, 1] and [0, 255] cannot be told apart in a dark picture of floats."""
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
        kind = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise ValueError(f"the picture of {camera!r} must be uint8 in [0, 255], got {kind}; convert it before sending")
    if array.ndim != 3 or (array.shape[0] == 3) == (array.shape[2] == 3) or 0 in array.shape:
        raise ValueError(f"the picture of {camera!r} must have shape [h, w, 3] or [3, h, w], got {list(array.shape)}")
    picture = torch.from_numpy(array.copy())  # of our own: the message's bytes are read-only
    return picture if array.shape[0] == 3 else rearrange(picture, "h w c -> c h w").contiguous()


def _fitted(
    picture: UInt8[Tensor, "3 h w"], camera: str, image_px: int | None, *, resize: bool
) -> UInt8[Tensor, "3 p p"]:
    height, width = picture.shape[1:]
    if image_px is None or (height, width) == (image_px, image_px):
        return picture
    if not resize:
        raise ValueError(f"the picture of {camera!r} is {height} × {width}; this policy reads {image_px} × {image_px}")
    if height != width:
        raise ValueError(
            f"the picture of {camera!r} is {height} × {width}: make it square, cut or padded as in training"
        )
    scaled = nn.functional.interpolate(
        picture[None].float(), size=(image_px, image_px), mode="bilinear", antialias=True, align_corners=False
    )
    return scaled[0].round().clamp(0, 255).to(torch.uint8)


def _state(value: Any) -> Tensor:
    try:
        state = np.asarray(value)
    except ValueError as error:  # lists of different lengths
        raise ValueError(f"the state must be a row of numbers: {error}") from error
    if state.ndim != 1 or state.dtype.kind not in "iuf":
        raise ValueError(f"the state must be a row of numbers, got {state.dtype} {list(state.shape)}")
    return torch.from_numpy(state.astype(np.float64)).float()  # too large for float32 becomes infinite: refused later
