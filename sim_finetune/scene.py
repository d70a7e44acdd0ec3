"""A task spec and an embodiment in, a compiled MuJoCo model out: table, light, cameras, objects, robot."""

from typing import Any

import mujoco
import numpy as np
from jaxtyping import Float

from sim_finetune.embodiment import PREFIX, Embodiment
from sim_finetune.spec import TaskSpec

TIMESTEP_S = 0.005
TABLE_M = (0.36, 0.36)  # half extents; workspace is ±0.25
# Position and point looked at [m]. "front" faces the robot from above, so arm and blocks hide each other least.
CAMERAS = {
    "front": ((0.64, 0.0, 0.74), (-0.01, 0.0, 0.05), 40.0),
    "side": ((0.05, -0.85, 0.55), (0.03, 0.0, 0.05), 40.0),
    "top": ((0.0, 0.0, 1.15), (0.001, 0.0, 0.0), 32.0),
}
# Half extents [m] and grey of things that only stand about; "/" first: no object's name can begin so.
CLUTTER = "/clutter"
CLUTTER_M = [(0.02 + 0.004 * (i % 3), 0.015 + 0.005 * (i % 2), 0.01 + 0.004 * (i % 4)) for i in range(8)]
DARK, LIGHT = [0.55, 0.53, 0.50], [1.0, 0.98, 0.95]  # of the table's patterns, which are multiplied with its colour


_MODELS: dict[tuple[str, str], mujoco.MjModel] = {}


def compile_scene(spec: TaskSpec, embodiment: Embodiment) -> mujoco.MjModel:
    """The model of a task with a body, compiled once a process. Treat it as read-only: environments share it.

    Objects stand at the origin until `place` moves them.
    """
    key = (spec.hash, repr(embodiment))
    if key not in _MODELS:
        _MODELS[key] = build_scene(spec, embodiment).compile()
    return _MODELS[key]


def build_scene(spec: TaskSpec, embodiment: Embodiment) -> mujoco.MjSpec:
    """The scene before compilation, to look at or to write as MJCF."""
    scene = mujoco.MjSpec()
    scene.modelname = f"{spec.name}-{embodiment.name}"
    _set_options(scene)
    _add_room(scene)
    for thing in spec.objects:
        thing.add_to(scene)
    if spec.randomise is not None:
        _add_patterns(scene)
        _add_clutter(scene, spec.randomise.clutter)
    base = scene.worldbody.add_frame(pos=embodiment.base_m)
    scene.attach(embodiment.spec(), prefix=PREFIX, frame=base)
    return scene


def _set_options(scene: mujoco.MjSpec) -> None:
    scene.option.timestep = TIMESTEP_S
    scene.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    scene.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC  # with impratio: grasped blocks do not creep out of the fingers
    scene.option.impratio = 10.0
    scene.visual.global_.offwidth = scene.visual.global_.offheight = 1024
    _set_quality(scene.visual.quality)
    scene.visual.map.znear, scene.visual.map.zfar = 0.02, 10.0
    scene.visual.headlight.ambient = [0.45] * 3
    scene.visual.headlight.diffuse = [0.35] * 3
    scene.visual.headlight.specular = [0.0] * 3
    scene.stat.extent, scene.stat.center = 1.0, [0, 0, 0]


def _set_quality(quality: Any) -> None:
    """Coarse round shapes and no multi-sampling: half the time of the defaults, no difference at policy sizes."""
    quality.offsamples = 0  # render.py draws larger and averages instead
    quality.numslices, quality.numstacks, quality.numquads = 16, 8, 1


def _add_room(scene: mujoco.MjSpec) -> None:
    """A neutral table whose top is z = 0, a floor behind it, one lamp without shadows, and the cameras."""
    world, plane = scene.worldbody, mujoco.mjtGeom.mjGEOM_PLANE
    look = {"contype": 0, "conaffinity": 0}
    world.add_geom(
        name="table", type=plane, size=[*TABLE_M, 0.1], rgba=[0.56, 0.53, 0.50, 1], friction=[0.8, 0.01, 0.0002]
    )
    world.add_geom(name="floor", type=plane, size=[4, 4, 0.1], pos=[0, 0, -0.4], rgba=[0.30, 0.31, 0.33, 1], **look)
    lamp = {"castshadow": False, "diffuse": [0.5] * 3, "specular": [0.1] * 3}  # shadows cost ten times the rest
    world.add_light(name="lamp", pos=[0.5, 0.5, 2.0], dir=[-0.25, -0.25, -1.0], **lamp)
    for name, (pos, target, fovy) in CAMERAS.items():
        world.add_camera(name=name, pos=pos, quat=look_at(np.array(pos), np.array(target)), fovy=fovy)


def _add_patterns(scene: mujoco.MjSpec) -> None:
    """A material for each of randomise.TEXTURES but the plain one."""
    builtin, flat = mujoco.mjtBuiltin, mujoco.mjtTexture.mjTEXTURE_2D
    patterns = {
        "checker": (builtin.mjBUILTIN_CHECKER, mujoco.mjtMark.mjMARK_NONE, 6),
        "gradient": (builtin.mjBUILTIN_GRADIENT, mujoco.mjtMark.mjMARK_NONE, 1),
        "tiles": (builtin.mjBUILTIN_FLAT, mujoco.mjtMark.mjMARK_EDGE, 8),
    }
    for name, (kind, mark, repeat) in patterns.items():
        size = {"width": 64, "height": 64}
        scene.add_texture(name=name, type=flat, builtin=kind, mark=mark, rgb1=DARK, rgb2=LIGHT, markrgb=LIGHT, **size)
        material = scene.add_material(name=name, texrepeat=[repeat, repeat])
        material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


def _add_clutter(scene: mujoco.MjSpec, count: int) -> None:
    """Fixed grey boxes under the floor, from where a reset may fetch them."""
    for number in range(count):
        body = scene.worldbody.add_body(name=f"{CLUTTER}{number}", mocap=True, pos=[0, 0, -1])
        grey = [0.25 + 0.06 * number] * 3
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=CLUTTER_M[number], rgba=[*grey, 1])


def look_at(pos: Float[np.ndarray, "3"], target: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4"]:
    """Quaternion (w x y z) of an upright camera at `pos` looking at `target` (MuJoCo's look along −z, y is up)."""
    back = (pos - target) / np.linalg.norm(pos - target)
    right = np.cross([0, 0, 1.0], back)
    right /= np.linalg.norm(right)
    quat = np.zeros(4)
    mujoco.mju_mat2Quat(quat, np.stack([right, np.cross(back, right), back], axis=1).ravel())
    return quat
