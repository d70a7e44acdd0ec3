"""Tasks in; what they look like out: thumbnail.png at the start, oracle.mp4 of the expert, contact sheets of many."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from lapa.files import atomic_path
from lapa.video import encode_mp4
from sim_finetune.episode import Episode, Studio, film, kept_env, play
from sim_finetune.rungs_proof import UNDISTURBED
from sim_finetune.spec import TaskSpec

THUMBNAIL, VIDEO, SHEET = "thumbnail.png", "oracle.mp4", "contact_sheet.png"
CAPTION_PX = 28


class Page(NamedTuple):
    """A task to be pictured: `folder` gets thumbnail.png and oracle.mp4 of the episode with this seed."""

    spec: TaskSpec
    folder: Path
    seed: int


def first_picture(spec: TaskSpec, studio: Studio, *, seed: int) -> UInt8[np.ndarray, "h w 3"]:
    """What the first camera sees when an episode begins."""
    env = kept_env(spec, studio)
    env.reset(seed=seed)
    return env.draw(studio.cameras[0])


def illustrate(page: Page, *, studio: Studio) -> bool:
    """Write the page's two files; returns whether the expert solved that episode."""
    write_png(page.folder / THUMBNAIL, first_picture(page.spec, studio, seed=page.seed))
    env = kept_env(page.spec, studio)
    episode = play(env, UNDISTURBED, seed=page.seed)
    write_mp4(page.folder / VIDEO, page.spec, episode, studio)
    return episode.solved


def write_mp4(path: Path, spec: TaskSpec, episode: Episode, studio: Studio) -> None:
    """The episode as the first camera saw it, at its own rate."""
    frames = film(kept_env(spec, studio), episode)[studio.cameras[0]]
    with atomic_path(path) as partial:
        partial.write_bytes(
            encode_mp4(rearrange(torch.from_numpy(frames), "t h w c -> t c h w"), fps=studio.control_hz)
        )


def write_png(path: Path, picture: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write one picture, whole or not at all."""
    with atomic_path(path) as partial:
        Image.fromarray(picture).save(partial, format="png")


def contact_sheet(
    pictures: Sequence[UInt8[np.ndarray, "h w 3"]], captions: Sequence[str], *, columns: int
) -> UInt8[np.ndarray, "H W 3"]:
    """Equally large pictures in rows, each over its caption (cut where it is too long). ValueError without pictures."""
    if not pictures:
        raise ValueError("a contact sheet needs at least one picture")
    height, width = pictures[0].shape[:2]
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * width, rows * (height + CAPTION_PX)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = number % columns * width, number // columns * (height + CAPTION_PX)
        sheet.paste(Image.fromarray(picture), (x, y))
        pen.text((x + 4, y + height + 8), caption[: max(width // 6 - 1, 1)], fill="black")
    return np.asarray(sheet)
