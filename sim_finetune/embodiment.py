"""A robot as data; in: the name of a yaml in configs/embodiment; out: an Embodiment that scene and control read."""

from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import mujoco
import numpy as np
from hydra.utils import instantiate
from jaxtyping import Float
from omegaconf import DictConfig, OmegaConf, open_dict

from lapa.doors import configs_dir
from lapa.files import file_hash

PREFIX = "robot/"  # what the robot's names get in a scene, so that no object of a task can take one of them
MJCF_DIR = Path(__file__).parent / "embodiments"


class Gripper(NamedTuple):
    """Finger joints that one opening in [0, 1] drives: joint = closed + opening · (open − closed)."""

    joint_names: list[str]
    closed: list[float]  # [rad or m]
    open: list[float]
    gap_m: list[float]  # clear width between the fingertips when closed and when open

    def opening(self, gap_m: float) -> float:
        """The opening in [0, 1] that leaves `gap_m` between the fingertips, as nearly as the fingers can."""
        shut, wide = self.gap_m
        return float(np.clip((gap_m - shut) / (wide - shut), 0, 1))


class Embodiment(NamedTuple):
    """A body. Per-joint lists follow joint_names; units are rad for hinges, m for slides.

    An action is the joints' target positions and the gripper's opening; a state is where both are: same names.
    """

    name: str
    mjcf: str  # a file in embodiments/, or an absolute path
    base_m: list[float]  # where its MJCF's origin stands in the workspace
    joint_names: list[str]
    max_speed: list[float]  # [unit/s]
    home: list[float]
    home_noise: list[float]
    tool_site: str
    turn_cost: list[
        float
    ]  # of a radian of tilt and of yaw, beside 1 for a metre: what inverse kinematics gives up first
    gripper: Gripper

    @property
    def action_names(self) -> list[str]:
        return [*self.joint_names, "gripper"]

    @property
    def state_names(self) -> list[str]:
        return self.action_names

    def spec(self) -> mujoco.MjSpec:
        """The body's own MJCF, parsed, without prefix and scene."""
        return mujoco.MjSpec.from_file(str(MJCF_DIR / self.mjcf))

    def fingers(self, opening: float | Float[np.ndarray, "*n 1"]) -> Float[np.ndarray, "*n f"]:
        """Finger joint positions of an opening in [0, 1]."""
        closed, wide = np.array(self.gripper.closed), np.array(self.gripper.open)
        return closed + opening * (wide - closed)


def embodiment_names() -> list[str]:
    """The bodies there are: the yaml files of configs/embodiment."""
    return sorted(path.stem for path in (configs_dir() / "embodiment").glob("*.yaml"))


@lru_cache
def load_embodiment(name: str) -> Embodiment:
    """The body of configs/embodiment/`name`.yaml, or of your own yaml by its path; ValueError lists what there is.

    In a yaml of your own, `mjcf` is relative to that yaml (or absolute); the meshes it names lie where MuJoCo expects.
    """
    path, own = Path(name), Path(name).suffix in (".yaml", ".yml")
    if not own and name not in embodiment_names():
        raise ValueError(f"no embodiment {name!r}; there are {embodiment_names()}, or give the path of a yaml")
    if not own:
        path = configs_dir() / "embodiment" / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(f"no embodiment file {path}")
    body = instantiate(OmegaConf.load(path), _convert_="all")
    return check_embodiment(body._replace(mjcf=str(path.resolve().parent / body.mjcf)) if own else body)


def mjcf_hash(mjcf: str) -> str | None:
    """Of a body's own file, without meshes that it names; None for one of the package, which its name says."""
    path = (MJCF_DIR / mjcf).resolve()
    return None if path.parent == MJCF_DIR.resolve() else file_hash(path)


def with_body(cfg: DictConfig) -> DictConfig:
    """`cfg` with what is in the MJCF of its body, when that is your own: edited, it is another result."""
    found = mjcf_hash(cfg.embodiment.mjcf)
    with open_dict(cfg):
        return OmegaConf.merge(cfg, {"mjcf_hash": found} if found else {})  # type: ignore[return-value]


def check_embodiment(body: Embodiment) -> Embodiment:
    """ValueError when a joint, actuator, site or length does not fit the MJCF; returns the body."""
    spec, gripper = body.spec(), body.gripper
    wanted = {
        "joint": ([*body.joint_names, *gripper.joint_names], spec.joints),
        "actuator": ([*body.joint_names, *gripper.joint_names], spec.actuators),  # named as its joint
        "site": ([body.tool_site], spec.sites),
    }
    for kind, (names, parts) in wanted.items():
        there = [part.name for part in parts]
        if missing := [name for name in names if name not in there]:
            raise ValueError(f"no {kind} {missing[0]!r}; {body.mjcf} has {there}")
    _check_lengths(body.name, body._asdict(), ("max_speed", "home", "home_noise"), body.joint_names)
    _check_lengths(body.name, gripper._asdict(), ("closed", "open"), gripper.joint_names)
    _check_lengths(body.name, body._asdict(), ("turn_cost",), ["tilt", "yaw"])
    _check_lengths(body.name, gripper._asdict(), ("gap_m",), ["closed", "open"])
    return body


def _check_lengths(name: str, values: dict[str, Any], fields: tuple[str, ...], each: list[str]) -> None:
    for field in fields:
        if len(values[field]) != len(each):
            raise ValueError(f"{name}: {field} needs one number for each of {each}")
