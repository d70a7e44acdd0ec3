"""A running scene in, what a goal may ask of it out: places, extents, contacts, joints, and how it all began."""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import mujoco
import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from sim_finetune.predicates.base import Predicate
    from sim_finetune.spec import TaskSpec

Pose = tuple[np.ndarray, np.ndarray]  # position (3,) [m] and quaternion (4,) w x y z
SIGNS = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij"), -1).reshape(8, 3)
SPHERE = mujoco.mjtGeom.mjGEOM_SPHERE
CAPSULE, CYLINDER = mujoco.mjtGeom.mjGEOM_CAPSULE, mujoco.mjtGeom.mjGEOM_CYLINDER


class SceneView(NamedTuple):
    """What a goal may look at.

    tool: name of the body's tool site in this model; spec: the task; start: each object's pose when the episode began;
    since: when each `hold_for` began to hold [s of simulated time]. The environment fills the last two.
    """

    model: mujoco.MjModel
    data: mujoco.MjData
    tool: str
    spec: "TaskSpec"
    start: dict[str, Pose]
    since: dict["Predicate", float]

    def site(self, name: str) -> np.ndarray:
        """Position of a site, (3,) [m, workspace frame]."""
        return self.data.site_xpos[site_id(self.model, name)]

    def site_axes(self, name: str) -> Float[np.ndarray, "3 3"]:
        """A site's own axes as columns."""
        return self.data.site_xmat[site_id(self.model, name)].reshape(3, 3)

    def site_half_extents(self, name: str) -> Float[np.ndarray, "3"]:
        """What a site spans along its own axes, to both sides [m]."""
        return self.model.site_size[site_id(self.model, name)]

    def has_site(self, name: str, part: str) -> bool:
        """Whether an object has a site of that name."""
        return _has_site(self.model, f"{name}/{part}")

    def centre(self, name: str) -> np.ndarray:
        """Position of an object's body, (3,) [m]."""
        return self.data.xpos[bodies(self.model, name)[0]]

    def axes(self, name: str) -> Float[np.ndarray, "3 3"]:
        """An object's own axes as columns."""
        return self.data.xmat[bodies(self.model, name)[0]].reshape(3, 3)

    def yaw(self, name: str) -> float:
        """An object's turn about the vertical [rad]."""
        return heading(self.axes(name))

    def lowest_m(self, name: str) -> float:
        """Height of an object's lowest point over the table [m]."""
        return min([_lowest(self.model, self.data, geom) for geom in solid_geoms(self.model, name)])

    def half_extents(self, name: str) -> Float[np.ndarray, "3"]:
        """Half extents of a box along the object's own axes, about its body, that holds what does not move in it [m]."""
        return _half_extents(self.model, name)

    def fraction(self, name: str) -> float:
        """Where an object's joint stands in its range, 0 (shut, off) to 1 (open, on)."""
        where, low, high = _joint(self.model, self.spec.object(name).joint_name)
        return float((self.data.qpos[where] - low) / (high - low))

    def touching(self, name: str) -> Iterator[tuple[str, np.ndarray]]:
        """(name of the other body, unit normal into the object) for each contact of the object."""
        own = bodies(self.model, name)
        contacts = self.data.contact
        pairs = self.model.geom_bodyid[contacts.geom].tolist()
        for (first, second), frame in zip(pairs, contacts.frame, strict=True):
            if (first in own) != (second in own):
                other, sign = (second, -1.0) if first in own else (first, 1.0)
                yield self.model.body(other).name, sign * frame[:3]


def length_m(vector: np.ndarray) -> float:
    """Of a vector (n,) [m]: to the bit what np.linalg.norm gives, in a third of its time."""
    return math.sqrt(vector @ vector)


def mean(values: list[float]) -> float:
    """To the bit what np.mean gives, in a third of its time."""
    return float(np.add.reduce(values) / len(values))


def heading(axes: Float[np.ndarray, "3 3"]) -> float:
    """Direction of the x axis seen from above [rad]."""
    return float(np.arctan2(axes[1, 0], axes[0, 0]))


def angle_off(turn_rad: float, symmetry: int) -> float:
    """Size of a turn, in [0, π/symmetry], of something that looks the same every 2π/symmetry [rad]."""
    period = 2 * np.pi / symmetry
    return float(abs((turn_rad + period / 2) % period - period / 2))


# What does not change while a model lives, found once: looking names up costs more than the geometry.
@lru_cache(maxsize=512)
def site_id(model: mujoco.MjModel, name: str) -> int:
    """Number of a site."""
    return model.site(name).id


@lru_cache(maxsize=512)
def _has_site(model: mujoco.MjModel, name: str) -> bool:
    return mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_SITE, name) >= 0


@lru_cache(maxsize=512)
def _joint(model: mujoco.MjModel, name: str) -> tuple[int, float, float]:
    """Where in qpos a joint with one number lies, and its range [rad or m]."""
    joint = model.joint(name)
    return int(joint.qposadr[0]), float(joint.range[0]), float(joint.range[1])


@lru_cache(maxsize=512)
def bodies(model: mujoco.MjModel, name: str) -> tuple[int, ...]:
    """Numbers of an object's body and of its parts (bodies called NAME/…), in the model's order."""
    names = ((number, model.body(number).name) for number in range(model.nbody))
    return tuple(number for number, body in names if body == name or body.startswith(f"{name}/"))


@lru_cache(maxsize=512)
def solid_geoms(model: mujoco.MjModel, name: str) -> tuple[int, ...]:
    """Numbers of an object's geoms that can be touched; all of them for what is only painted."""
    own = [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] in bodies(model, name)]
    return tuple([geom for geom in own if model.geom_contype[geom] or model.geom_conaffinity[geom]] or own)


def _lowest(model: mujoco.MjModel, data: mujoco.MjData, geom: int) -> float:
    """Height of a geom's lowest point [m]; a box around it for shapes that are none of the four round ones."""
    kind, size, corners = _outline(model, geom)
    middle, axes = data.geom_xpos[geom], data.geom_xmat[geom].reshape(3, 3)
    if kind == SPHERE:
        return float(middle[2] - size[0])
    if kind == CAPSULE:
        return float(middle[2] - abs(axes[2, 2]) * size[1] - size[0])
    if kind == CYLINDER:
        return float(middle[2] - abs(axes[2, 2]) * size[1] - np.hypot(axes[2, 0], axes[2, 1]) * size[0])
    return min((middle + corners @ axes.T)[:, 2].tolist())


@lru_cache(maxsize=4096)
def _outline(model: mujoco.MjModel, geom: int) -> tuple[int, np.ndarray, Float[np.ndarray, "8 3"]]:
    """A geom's type, its sizes, and the corners of the box around it in its own frame [m]."""
    box = model.geom_aabb[geom]
    return int(model.geom_type[geom]), model.geom_size[geom].copy(), box[:3] + SIGNS * box[3:]


@lru_cache(maxsize=512)
def _half_extents(model: mujoco.MjModel, name: str) -> Float[np.ndarray, "3"]:
    turn, reach = np.zeros(9), np.zeros(3)
    for geom in solid_geoms(model, name):
        if model.geom_bodyid[geom] == bodies(model, name)[0]:
            mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
            box = model.geom_aabb[geom]
            points = model.geom_pos[geom] + (box[:3] + SIGNS * box[3:]) @ turn.reshape(3, 3).T
            reach = np.maximum(reach, np.abs(points).max(axis=0))
    return reach


def tool_prefix(view: SceneView) -> str:
    """What the names of the robot's bodies begin with."""
    return view.tool.split("/")[0] + "/"


def pieces(view: SceneView, name: str) -> Float[np.ndarray, "n 3"]:
    """Middles of the geoms an object consists of, in the model's order: the grains of a pile [m]."""
    return view.data.geom_xpos[list(solid_geoms(view.model, name))]
