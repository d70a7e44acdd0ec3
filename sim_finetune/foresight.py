"""An environment and moments that its physics may come to in; the rewards there would be out, from the moments alone."""

import mujoco
import numpy as np
from jaxtyping import Float

from sim_finetune.env import FULL_STATE, TaskEnv
from sim_finetune.predicates import SceneView, every, keep_time, timed
from sim_finetune.predicates.base import FALL_M, nearness
from sim_finetune.rewards import reward, reward_terms, score
from sim_finetune.spec import TaskSpec
from sim_finetune.stages import advance


def rewards_ahead(env: TaskEnv, moments: Float[np.ndarray, "n t p"], *, approach: float) -> Float[np.ndarray, "n t"]:
    """The task's own reward at each moment of n sequences that begin now, plus `approach` · `closeness`.

    moments: of `many.on_threads`. The environment, its stages and its clocks stay as they are.
    """
    data = mujoco.MjData(env.model)
    return np.array([_rewards(env, data, sequence, approach) for sequence in moments])


def _rewards(env: TaskEnv, data: mujoco.MjData, moments: Float[np.ndarray, "t p"], approach: float) -> list[float]:
    spec, view, now, gains = env.task_spec, env.view._replace(data=data, since=dict(env.view.since)), env.stage, []
    clocks = timed(spec.statements())
    for moment in moments:
        mujoco.mj_setState(env.model, data, moment, FULL_STATE)
        mujoco.mj_kinematics(env.model, data)  # statements look at poses and contacts, not at forces
        mujoco.mj_collision(env.model, data)
        keep_time(clocks, view)
        now = advance(spec.stages, now, view)
        scored = score(spec, now, view)
        gain = reward(spec, reward_terms(spec, scored, view), scored.progress)
        gains.append(gain + approach * closeness(spec, now.done, view))
    return gains


def closeness(spec: TaskSpec, done: int, view: SceneView) -> float:
    """How near the tool is to what is next to be moved, in [0, 1]; 1 when nothing is left to do.

    done: stages completed. Most statements say nothing of the hand: without this, no reward changes before a touch.
    """
    goal = spec.stages[done].goal if done < len(spec.stages) else spec.goal
    for statement in every(goal):
        if not statement.inner() and not statement.holds(view):
            name = next(statement.names())[0]
            point = view.site(f"{name}/handle") if view.has_site(name, "handle") else view.centre(name)
            return nearness(float(np.linalg.norm(view.site(view.tool) - point)), FALL_M)
    return 1.0
