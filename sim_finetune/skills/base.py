"""A running environment in, what every skill shares out: the oracle's eyes, goals for the tool, and ways to move it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import mujoco
import numpy as np
from jaxtyping import Float

from sim_finetune.env import TaskEnv
from sim_finetune.solvers import solver_for

TRAVEL_M = 0.11  # height of the tool over the table when it moves across other objects
FAST, SLOW = 0.30, 0.12  # tool speeds [m/s]
WIDE_M, NARROW_M = 0.075, 0.03  # clear width between the fingers: around a block; as a broad pusher
CLOSE_ENOUGH_M = 0.008
GRIP_STEPS, RELEASE_STEPS = 3, 2
HOVER_M = 0.07  # of the tool over a block's middle before it goes down, and after it came up
RETREAT_M = 0.09  # of the tool over where it let go
HANDLE_GAP_M = 0.05  # fits between bar and drawer front on one side


class Goal(NamedTuple):
    """Where the tool should be: workspace frame; yaw against the home's orientation; gap between the fingers."""

    tool_m: Float[np.ndarray, "3"]
    yaw_rad: float
    gap_m: float
    speed_m_s: float


Skill = Iterator[Goal]


class Step(NamedTuple):
    """One call of a skill. target: what the object goes to; site: part of the target; want: what shall be true then."""

    skill: str
    object: str
    target: str | None
    site: str | None
    want: Any  # a Predicate, or None when a hint says all


class World(NamedTuple):
    """The oracle's eyes: true positions [m, workspace frame] of a running environment."""

    env: TaskEnv

    def tool(self) -> Float[np.ndarray, "3"]:
        return self.env.view.site(self.env.view.tool).copy()

    def tool_yaw(self) -> float:
        """Turn of the tool about the vertical against the home's orientation [rad]."""
        return solver_for(self.env.embodiment).forward(self.env.state()[:-1].astype(float))[1]

    def has(self, name: str, part: str) -> bool:
        """Whether an object has a site of this name."""
        return mujoco.mj_name2id(self.env.model, mujoco.mjtObj.mjOBJ_SITE, f"{name}/{part}") >= 0

    def site(self, name: str, part: str) -> Float[np.ndarray, "3"]:
        return self.env.view.site(f"{name}/{part}").copy()

    def axes(self, name: str, part: str) -> Float[np.ndarray, "3 3"]:
        """The site's axes as columns, in the workspace frame."""
        return self.env.data.site(f"{name}/{part}").xmat.reshape(3, 3).copy()

    def centre(self, name: str) -> Float[np.ndarray, "3"]:
        return self.env.data.body(name).xpos.copy()

    def highest_m(self, name: str) -> float:
        """Height over the table of an object's highest point, lid and handle too [m]."""
        box = float(self.centre(name)[2] + self.env.view.half_extents(name)[2])
        return max([box, *(float(self.site(name, part)[2]) for part in ("top", "handle") if self.has(name, part))])

    def yaw(self, name: str) -> float:
        matrix = self.env.data.body(name).xmat
        return float(np.arctan2(matrix[3], matrix[0]))

    def solved(self) -> bool:
        return self.env.task_spec.goal.holds(self.env.view)


def up(point_m: np.ndarray, height_m: float) -> Float[np.ndarray, "3"]:
    """The point `height_m` higher."""
    return point_m + np.array([0.0, 0.0, height_m])


def at_height(point_m: np.ndarray, height_m: float) -> Float[np.ndarray, "3"]:
    """The point straight above or below, `height_m` over the table."""
    return np.array([point_m[0], point_m[1], height_m])


def smallest_turn(yaw_rad: float, period_rad: float) -> float:
    """The same direction modulo `period_rad`, in [−period/2, period/2): jaws and blocks look alike when turned."""
    return (yaw_rad + period_rad / 2) % period_rad - period_rad / 2


def move(world: World, goal: Callable[[], Goal], until: Callable[[Goal], bool]) -> Skill:
    """Ask for `goal()` afresh each step until `until(goal)`."""
    while True:
        wanted = goal()
        if until(wanted):
            return
        yield wanted


def near(world: World, tolerance_m: float) -> Callable[[Goal], bool]:
    """Whether the tool is within `tolerance_m` of a goal."""
    return lambda goal: float(np.linalg.norm(world.tool() - goal.tool_m)) <= tolerance_m


def wait(steps: int, goal: Goal) -> Skill:
    """The same goal for some steps."""
    for _ in range(steps):
        yield goal
