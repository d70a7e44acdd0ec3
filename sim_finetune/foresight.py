"""A running environment and many sequences of actions in; the states and rewards that each would bring out."""

import copy

import mujoco
import numpy as np
from einops import repeat
from jaxtyping import Float
from mujoco.rollout import Rollout

from sim_finetune.control import SEGMENTS
from sim_finetune.env import FULL_STATE, TaskEnv
from sim_finetune.predicates import SceneView, every, keep_time
from sim_finetune.predicates.base import FALL_M, nearness
from sim_finetune.rewards import progress, reward, reward_terms
from sim_finetune.spec import TaskSpec
from sim_finetune.stages import advance

PHYSICS = mujoco.mjtState.mjSTATE_FULLPHYSICS  # what a rollout starts from and returns


class Foresight:
    """What could come of an environment's present. Make one after a reset; the environment itself stays as it is.

    approach: weight of `closeness` beside the task's own reward. Equal for any number of threads.
    """

    def __init__(self, env: TaskEnv, *, approach: float, threads: int):
        self._env, self._approach = env, approach
        self._model = copy.copy(env.model)
        mocap = env.model.body_mocapid
        self._model.body_pos[mocap >= 0] = env.data.mocap_pos[mocap[mocap >= 0]]  # a rollout puts them where the
        self._model.body_quat[mocap >= 0] = env.data.mocap_quat[mocap[mocap >= 0]]  # model, not the state, has them
        self._pool = Rollout(nthread=threads)
        self._workers = [mujoco.MjData(self._model) for _ in range(threads)]
        self._scratch = mujoco.MjData(env.model)

    def roll(self, actions: Float[np.ndarray, "n t d"]) -> Float[np.ndarray, "n t p"]:
        """The physics after each action of each sequence, as `env.step` would bring it about."""
        env, controls = self._env, set_points(self._env, actions)
        now = np.empty((1, mujoco.mj_stateSize(env.model, PHYSICS)))
        mujoco.mj_getState(env.model, env.data, now[0], PHYSICS)
        warm = env.data.qacc_warmstart[None].copy()
        states, _ = self._pool.rollout(self._model, self._workers, now, controls, initial_warmstart=warm)
        substeps = controls.shape[1] // actions.shape[1]
        return states[:, substeps - 1 :: substeps]

    def score(self, states: Float[np.ndarray, "n t p"]) -> Float[np.ndarray, "n t"]:
        """The reward of each state, from the states alone: in [0, 1 + approach]."""
        return np.array([self._score_one(sequence) for sequence in states])

    def _score_one(self, states: Float[np.ndarray, "t p"]) -> list[float]:
        env, data, found = self._env, self._scratch, []
        spec, view = env.task_spec, env.view._replace(data=data, since=dict(env.view.since))
        now = env.stage
        mujoco.mj_setState(env.model, data, env.get_physics(), FULL_STATE)  # for what a rollout's states leave out
        for state in states:
            mujoco.mj_setState(env.model, data, state, PHYSICS)
            mujoco.mj_kinematics(env.model, data)  # statements look at poses and contacts, not at forces
            mujoco.mj_collision(env.model, data)
            keep_time([spec.goal, *(stage.goal for stage in spec.stages)], view)
            now = advance(spec.stages, now, view)
            terms = reward_terms(spec, now, view) if spec.rewards else {}  # the other kind of reward looks at none
            gain = reward(spec, terms, progress(spec, now, view) if not terms else 0.0)
            found.append(gain + self._approach * closeness(spec, now.done, view))
        return found


def closeness(spec: TaskSpec, done: int, view: SceneView) -> float:
    """How near the tool is to what is next to be moved, in [0, 1]; 1 when nothing is left to do.

    Most statements say nothing of the hand: without this, no reward changes before the first touch.
    """
    goal = spec.stages[done].goal if done < len(spec.stages) else spec.goal
    for statement in every(goal):
        if not statement.inner() and not statement.holds(view):
            name = next(statement.names())[0]
            point = view.site(f"{name}/handle") if view.has_site(name, "handle") else view.centre(name)
            return nearness(float(np.linalg.norm(view.site(view.tool) - point)), FALL_M)
    return 1.0


def set_points(env: TaskEnv, actions: Float[np.ndarray, "n t d"]) -> Float[np.ndarray, "n s u"]:
    """What `control.drive` gives the actuators at each physics step, for many sequences at once."""
    wiring, body = env.wiring, env.embodiment
    reach = np.array(body.max_speed) * (1 / env.control_hz)  # rounded as `env.step` does
    substeps = round(1 / env.control_hz / env.model.opt.timestep / SEGMENTS)
    controls = np.tile(env.data.ctrl, (*actions.shape[:2], SEGMENTS, 1))
    joints, fingers = env.data.ctrl[wiring.ctrl], env.data.ctrl[wiring.finger_ctrl]
    for step in range(actions.shape[1]):
        wanted = np.clip(actions[:, step, :-1], wiring.low, wiring.high)
        joints_goal = joints + np.clip(wanted - joints, -reach, reach)
        fingers_goal = body.fingers(np.clip(actions[:, step, -1:], 0, 1))
        for segment in range(SEGMENTS):
            share = (segment + 1) / SEGMENTS
            controls[:, step, segment, wiring.ctrl] = joints + share * (joints_goal - joints)
            controls[:, step, segment, wiring.finger_ctrl] = fingers + share * (fingers_goal - fingers)
        joints, fingers = controls[:, step, -1, wiring.ctrl], controls[:, step, -1, wiring.finger_ctrl]
    return repeat(controls, "n t segment u -> n (t segment r) u", r=substeps)
