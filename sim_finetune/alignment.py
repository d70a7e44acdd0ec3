"""A running task in; out: which of its objects are seen when an episode begins, and whether in the colour that it says."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from sim_finetune.env import TaskEnv
from sim_finetune.objects import COLOURS
from sim_finetune.objects.parts import DARK, GREY
from sim_finetune.objects.window import GLASS
from sim_finetune.poses import owner
from sim_finetune.render import Camera, Look

# A side in the shade has 0.7 of its colour under the scene's lamps, a top in the light 1.15.
SHADES = np.linspace(0.65, 1.2, 12)
PLAIN = tuple(tuple(colour[:3]) for colour in (GREY, DARK, GLASS))  # of parts that have no colour of the object's


class Alignment(NamedTuple):
    """share: of objects and episodes, those seen in their colour, in [0, 1]; faults: which were not, and why."""

    share: float
    faults: list[str]


def alignment(env: TaskEnv, seeds: Sequence[int], *, pixel_share: float, colour_share: float) -> Alignment:
    """Look at the start of each episode with every camera of the environment.

    An object is seen when it fills `pixel_share` of a picture, and is of its colour when `colour_share` of those of its
    pixels that are not plain (grey boards, glass) look like its colour more than like any other.
    """
    camera, faults = Camera(model=env.model, image_px=env.image_px), []
    for seed in seeds:
        env.reset(seed=seed)
        looks = [camera.look(env.data, name) for name in env.cameras]
        for thing in env.task_spec.objects:
            why = [_fault(env, look, thing, pixel_share, colour_share) for look in looks]
            if all(why):
                faults.append(f"{thing.name}: {why[0]} (seed {seed})")
    return Alignment(1 - len(faults) / (len(seeds) * len(env.task_spec.objects)), faults)


def _fault(env: TaskEnv, look: Look, thing: Any, pixel_share: float, colour_share: float) -> str:
    """Why an object is not what the task says in this picture; "" when it is."""
    shown = _pixels_of(env, look, thing.name)
    if shown.mean() < pixel_share:
        return f"fills {shown.mean():.2%} of the picture"
    names = [name for name in nearest_colours(look.rgb[shown]) if name]
    own = names.count(thing.colour) / len(names) if names else 0.0
    return "" if own >= colour_share else f"{own:.0%} of its colour is {thing.colour}"


def _pixels_of(env: TaskEnv, look: Look, name: str) -> Bool[np.ndarray, "H W"]:
    owners = [owner(env, body) == name for body in env.model.geom_bodyid]
    return np.append(owners, False)[look.geom]  # −1, no geom, is the last


def nearest_colours(pixels: UInt8[np.ndarray, "n 3"]) -> list[str]:
    """The name in COLOURS of each pixel, however it is lit; "" for what is plain."""
    names = [*COLOURS, *("" for _ in PLAIN)]
    palette = np.array([*COLOURS.values(), *PLAIN])
    lit: Float[np.ndarray, "s c 3"] = np.clip(SHADES[:, None, None] * palette, 0, 1)
    distances = np.linalg.norm(pixels[:, None, None] / 255 - lit, axis=-1).min(axis=1)
    return [names[number] for number in distances.argmin(axis=1)]
