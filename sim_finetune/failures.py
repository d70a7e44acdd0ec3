"""An episode that did not succeed in; out: why, one word of a short list, told by the task's own statements."""

from collections.abc import Sequence

import numpy as np
from einops import rearrange
from jaxtyping import Float

from sim_finetune.env import TaskEnv
from sim_finetune.games import Played
from sim_finetune.goals import moved
from sim_finetune.objects import SceneObject
from sim_finetune.objects.base import Articulated
from sim_finetune.predicates import SceneView, every
from sim_finetune.predicates.view import solid_geoms

NEAR_M = 0.05  # between the tool and the ball around a part of an object
MOVED_M, MOVED_SHARE = 0.01, 0.1  # along an axis, of a part of an object; of a joint's range
NEARLY = 0.8  # of what was missing at the start
CAUSES = ("not_held", "nearly", "wrong_object", "disturbed", "never_near", "not_moved", "not_there")


def failure(env: TaskEnv, played: Played) -> str:
    """Why the goal was not held; "" when it was. The first of CAUSES that is true of the episode:

    not_held: everything was so at a moment, and did not stay so for the spec's hold_s;
    nearly: at its best, progress lacked less than a fifth of what it lacked at the start, and nothing was disturbed;
    wrong_object: it moved something that the task does not move, and nothing that it does move; where a task moves
    nothing, the tool ended near something, and nearest to what the task is not about;
    disturbed: at the end something lay elsewhere that the task says to leave alone;
    never_near: the tool came near nothing that the task moves (where it moves nothing: that it is about);
    not_moved: it came near, and moved nothing of it; not_there: it did, but not to where the goal says.
    Plays the episode's physics again in its environment, `env`, and leaves it at the end.
    """
    row, start = played.row, played.progress[0]
    if row["success_held"] or row["success_once"]:
        return "" if row["success_held"] else "not_held"
    leaves = [part for goal in env.task_spec.goals() for part in every(goal) if not part.inner()]
    to_move = {name for part in leaves if part.said for name in moved(part)}
    wanted = to_move or {thing.name for thing in env.task_spec.goal_objects()}
    near, stirred = _near_and_stirred(env, played.physics, wanted)
    disturbed = not all(part.holds(env.view) for part in leaves if not part.said)
    told = {
        "nearly": max(played.progress) - start > NEARLY * (1 - start) and not disturbed,
        "wrong_object": stirred and not stirred & to_move if to_move else _beside(env) - wanted,
        "disturbed": disturbed,
        "never_near": not near,
        "not_moved": to_move and not stirred & to_move,
        "not_there": True,
    }
    return next(cause for cause, true in told.items() if true)


def _near_and_stirred(env: TaskEnv, physics: Sequence[np.ndarray], wanted: set[str]) -> tuple[bool, set[str]]:
    """Whether the tool ever came near something wanted, and what was ever elsewhere than at the start."""
    near, stirred = False, set()
    before: dict[str, np.ndarray] = {}
    for state in physics:
        env.set_physics(state)
        places = {thing.name: _places(env.view, thing) for thing in env.task_spec.objects}
        before = before or places
        stirred |= {name for name, place in places.items() if np.abs(place - before[name]).max() > 1}
        near = near or any(_gap_m(env.view, name) < NEAR_M for name in wanted)
    return near, stirred


def _beside(env: TaskEnv) -> set[str]:
    """The object that is nearest to the tool now, when the tool is near it."""
    gaps_m = {thing.name: _gap_m(env.view, thing.name) for thing in env.task_spec.objects}
    nearest = min(gaps_m, key=lambda name: gaps_m[name])
    return {nearest} if gaps_m[nearest] < NEAR_M else set()


def _places(view: SceneView, thing: SceneObject) -> Float[np.ndarray, "n"]:
    """Where an object's parts are and how they are turned, and how far its joint is open, in units of what counts as
    moved. A part's turn is that of three points at the surface of the ball around it.
    """
    parts = list(solid_geoms(view.model, thing.name))
    axes = view.data.geom_xmat[parts].reshape(-1, 3, 3) * view.model.geom_rbound[parts, None, None]
    points = view.data.geom_xpos[parts, None] + rearrange(axes, "part xyz turn -> part turn xyz")
    opened = [view.fraction(thing.name) / MOVED_SHARE] if isinstance(thing, Articulated) else []
    return np.append(points / MOVED_M, opened)


def _gap_m(view: SceneView, name: str) -> float:
    """From the tool to the nearest of the balls around an object's parts; below 0 inside of one [m]."""
    parts = list(solid_geoms(view.model, name))
    away = np.linalg.norm(view.data.geom_xpos[parts] - view.site(view.tool), axis=1)
    return float((away - view.model.geom_rbound[parts]).min())
