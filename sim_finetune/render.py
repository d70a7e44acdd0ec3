"""A model, its data and a camera in, an RGB image out; one GL context a process, shared by every environment."""

import importlib
import os
from functools import lru_cache
from typing import Any, NamedTuple

import mujoco
import numpy as np
from jaxtyping import Int, UInt8
from OpenGL.error import Error as GLLibraryError

from sim_finetune import BACKENDS, no_gl

OVERSAMPLE = 2  # drawn this much larger and averaged: a 5-pixel block moves smoothly instead of by whole pixels
MAX_GEOMS = 500
OFFSCREEN = mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value
MARKING = (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR)  # each thing in the colour of its number


class Look(NamedTuple):
    """What each pixel shows, before pixels are averaged. geom: its number in the model, −1 for anything else."""

    rgb: UInt8[np.ndarray, "H W 3"]
    geom: Int[np.ndarray, "H W"]


@lru_cache(maxsize=1)
def _gl() -> Any:
    """The process's GL context, of the kind that MUJOCO_GL names; ValueError when this machine cannot make one."""
    backend = os.environ["MUJOCO_GL"].lower()
    if backend not in BACKENDS:
        raise no_gl("it switches drawing off")
    try:
        context = importlib.import_module(f"mujoco.{backend}").GLContext(1, 1)  # we draw into buffers of our own
        context.make_current()
    except (ImportError, AttributeError, RuntimeError, OSError, GLLibraryError) as error:
        raise no_gl(error) from error
    return context


def check_drawing() -> None:
    """ValueError when this machine cannot draw: before work begins that would take that for the tasks' fault."""
    _gl()


class Camera:
    """Draws one model at one size. Without meshes and textures every model shares one set of GL buffers."""

    def __init__(self, *, model: mujoco.MjModel, image_px: int):
        self.image_px = image_px
        self._model, self._side = model, image_px * OVERSAMPLE
        self._context = _buffers(model)
        self._scene = mujoco.MjvScene(model, maxgeom=MAX_GEOMS)
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION, mujoco.mjtRndFlag.mjRND_HAZE):
            self._scene.flags[flag] = 0
        self._option, self._rect = mujoco.MjvOption(), mujoco.MjrRect(0, 0, self._side, self._side)
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._pixels = np.empty((self._side, self._side, 3), np.uint8)

    def draw(self, data: mujoco.MjData, camera: str) -> UInt8[np.ndarray, "h w 3"]:
        """The picture `camera` takes of `data` now."""
        return _shrink(self._shoot(data, camera))

    def look(self, data: mujoco.MjData, camera: str) -> Look:
        """The same, unaveraged, with what each pixel shows."""
        rgb = self._shoot(data, camera).copy()
        for flag in MARKING:
            self._scene.flags[flag] = 1
        marked = self._shoot(data, camera).astype(np.int64)
        for flag in MARKING:
            self._scene.flags[flag] = 0
        geom_of = np.full(self._scene.ngeom + 1, -1)
        for shown in self._scene.geoms[: self._scene.ngeom]:
            if shown.objtype == mujoco.mjtObj.mjOBJ_GEOM and shown.segid >= 0:
                geom_of[shown.segid + 1] = shown.objid
        return Look(rgb, geom_of[marked @ [1, 256, 65536]])

    def _shoot(self, data: mujoco.MjData, camera: str) -> UInt8[np.ndarray, "H W 3"]:
        """Draw and read back, upright; valid until the next picture."""
        self._view.fixedcamid = camera_id(self._model, camera)
        _gl().make_current()  # somebody else in this process may draw too
        mujoco.mjr_setBuffer(OFFSCREEN, self._context)  # a model with other textures has buffers of its own
        every = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(self._model, data, self._option, None, self._view, every, self._scene)
        mujoco.mjr_render(self._rect, self._scene, self._context)
        mujoco.mjr_readPixels(self._pixels, None, self._rect, self._context)
        return self._pixels[::-1]  # GL's first row is the lowest


def _shrink(pixels: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Average of each 2 × 2 square."""
    wide = pixels.astype(np.uint16)
    rows = wide[0::2] + wide[1::2]
    return ((rows[:, 0::2] + rows[:, 1::2] + 2) >> 2).astype(np.uint8)


def camera_id(model: mujoco.MjModel, camera: str) -> int:
    """Number of a camera; ValueError lists the scene's cameras."""
    number = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_CAMERA, camera)
    if number < 0:
        raise ValueError(f"no camera {camera!r}; this scene has {[model.camera(i).name for i in range(model.ncam)]}")
    return number


_SHARED: dict[int, mujoco.MjrContext] = {}


def _buffers(model: mujoco.MjModel) -> mujoco.MjrContext:
    """GL buffers for the model. Only meshes, textures and the like are uploaded: models that have the same share them."""
    _gl()
    own = model.nmesh + model.nhfield + model.nskin + model.nflex > 0
    key = id(model) if own else hash(model.tex_data.tobytes())
    if key not in _SHARED:
        context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        _SHARED[key] = context
    return _SHARED[key]
