"""A running environment in, a stream of tool poses out: one generator a task family, looking at the scene anew each step."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float

from sim_finetune.env import TaskEnv
from sim_finetune.predicates import AllOf, InZone, JointFraction, OnTop, Predicate, ToolNear

TRAVEL_M = 0.11  # height of the tool over the table when it moves across other objects
FAST, SLOW = 0.30, 0.12  # tool speeds [m/s]
WIDE_M, NARROW_M = 0.075, 0.04  # clear width between the fingers: around a block; as a broad pusher
CLOSE_ENOUGH_M = 0.008
GRIP_STEPS, RELEASE_STEPS = 4, 3

P = TypeVar("P", bound=Predicate)


class Goal(NamedTuple):
    """Where the tool should be. tool_m: workspace frame; yaw_rad: against the home's orientation; gap_m: between the fingers."""

    tool_m: Float[np.ndarray, "3"]
    yaw_rad: float
    gap_m: float
    speed_m_s: float


Skill = Iterator[Goal]


class World(NamedTuple):
    """The oracle's eyes: true positions [m, workspace frame] of a running environment."""

    env: TaskEnv

    def tool(self) -> Float[np.ndarray, "3"]:
        return self.env.view.site(self.env.view.tool).copy()

    def site(self, name: str, part: str) -> Float[np.ndarray, "3"]:
        return self.env.view.site(f"{name}/{part}").copy()

    def centre(self, name: str) -> Float[np.ndarray, "3"]:
        return self.env.data.body(name).xpos.copy()

    def yaw(self, name: str) -> float:
        matrix = self.env.data.body(name).xmat
        return float(np.arctan2(matrix[3], matrix[0]))

    def goal(self, kind: type[P]) -> P:
        """The part of the task's goal that is a `kind`; ValueError when it has none."""
        goal: Any = self.env.spec.goal
        parts = goal.parts if isinstance(goal, AllOf) else (goal,)
        for part in parts:
            if isinstance(part, kind):
                return part
        raise ValueError(f"{self.env.spec.name}: its goal has no {kind.__name__}, only {[type(part).__name__ for part in parts]}")

    def solved(self) -> bool:
        return self.env.spec.goal.holds(self.env.view)


def up(point_m: np.ndarray, height_m: float) -> Float[np.ndarray, "3"]:
    """The point `height_m` higher."""
    return point_m + np.array([0.0, 0.0, height_m])


def at_height(point_m: np.ndarray, height_m: float) -> Float[np.ndarray, "3"]:
    """The point straight above or below, `height_m` over the table."""
    return np.array([point_m[0], point_m[1], height_m])


def smallest_turn(yaw_rad: float, period_rad: float) -> float:
    """The same direction modulo `period_rad`, in [−period/2, period/2): jaws and square blocks look alike when turned."""
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


def reach(world: World) -> Skill:
    """Come from above along a slope, and stay."""
    goal = world.goal(ToolNear)
    while True:
        point = up(world.site(goal.object, "top"), goal.above_m)
        aside_m = float(np.linalg.norm((point - world.tool())[:2]))
        yield Goal(up(point, 0.6 * np.clip(aside_m - 0.03, 0, 0.12)), 0.0, WIDE_M, FAST)


SKILLS: dict[str, Callable[[World], Skill]] = {"reach": reach}
