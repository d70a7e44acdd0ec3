"""A running environment in, actions of a scripted oracle out: skills give tool poses, mink the joint targets."""

import numpy as np
from jaxtyping import Float, Float32

from sim_finetune.env import TaskEnv
from sim_finetune.perform import perform
from sim_finetune.skills import Goal, World, smallest_turn
from sim_finetune.solvers import solver_for

MAX_SPEED_M_S = 0.30  # calm human hand; faster, and frame pairs half a second apart show no small motions
ACCELERATION_M_S2 = 3.0  # full speed within a step: what to do shows in a picture, which knows no velocity
TURN_SPEED_RAD_S = 1.8
SLOWING_1_S = 5.0  # speed per metre left: the tool arrives softly


class Expert:
    """Closed loop: each `act` looks at the scene, and moves the tool's set point towards what the task's skill wants.

    noise: standard deviation of the tool's set point per step and axis [m]; rng: its only randomness.
    Make one for each episode, after reset.
    """

    def __init__(self, env: TaskEnv, *, noise: float, rng: np.random.Generator):
        self.env, self._noise, self._rng = env, noise, rng
        self._solver = solver_for(env.embodiment)
        self._plan = perform(World(env=env))
        self._velocity = np.zeros(3)

    def act(self) -> Float32[np.ndarray, "d"]:
        """The next action from the scene as it is now. Does not step the environment."""
        goal = next(self._plan)
        target = self.env.target()
        tool, yaw = self._solver.forward(target[:-1])
        self._velocity = self._next_velocity(goal, tool)
        period = 1 / self.env.control_hz
        point = tool + self._velocity * period + self._rng.normal(0, self._noise, 3)
        wanted, most = self._solver.within_wrist(target[:-1], goal.yaw_rad), TURN_SPEED_RAD_S * period
        turn = np.clip(smallest_turn(wanted - yaw, 2 * np.pi), -most, most)
        joints = self._solver.solve(target[:-1], point, yaw + turn)
        return np.append(joints, self.env.embodiment.gripper.opening(goal.gap_m)).astype(np.float32)

    def _next_velocity(self, goal: Goal, tool: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
        """Towards the goal, slower near it, never jerking."""
        away = goal.tool_m - tool
        distance = float(np.linalg.norm(away))
        speed = min(goal.speed_m_s, MAX_SPEED_M_S, SLOWING_1_S * distance)
        wanted = away / max(distance, 1e-9) * speed
        change, most = wanted - self._velocity, ACCELERATION_M_S2 / self.env.control_hz
        return self._velocity + change * min(1.0, most / max(float(np.linalg.norm(change)), 1e-9))
