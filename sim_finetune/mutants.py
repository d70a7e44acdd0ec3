"""An environment in which the oracle has solved the task in; spoilt copies of that state out, none of which may count."""

from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, NamedTuple

import mujoco
import numpy as np

from sim_finetune.embodiment import PREFIX
from sim_finetune.env import TaskEnv
from sim_finetune.episode import Episode
from sim_finetune.goals import (
    EXCHANGED,
    HELD,
    SHIFTED,
    TURNED,
    UNDONE,
    instant,
    interchangeable,
    moved,
    needed,
    places,
    rule,
)
from sim_finetune.poses import (
    carried,
    free_qpos,
    get_pose,
    has_pose,
    own_qpos,
    owner,
    qpos_of,
    robot_qpos,
    set_pose,
    turned,
)
from sim_finetune.predicates.base import kinds_with

MOST_TURN_RAD = np.pi / 4
BY_JOINT = ("joint_fraction", "pressed", "toggled")  # predicates that look at a joint, not at a place
ALIKE = 0.5  # of a joint's range: two that stand nearer are not told apart by exchanging them
SAME_PLACE_M = 0.005
TOUCH_M = 0.003  # how deep the robot may be in things in a state that is to pass for a real one
GRIP_M = 0.01  # how much farther than at its nearest the tool may be from what it holds


class Mutant(NamedTuple):
    """A way to spoil a solved scene: `spoil` changes the environment's data, from the solved state."""

    kind: str
    what: str
    spoil: Callable[[TaskEnv], None]


def holds_with(env: TaskEnv, mutant: Mutant) -> bool:
    """Whether the goal holds in the spoilt state. The environment is left as it was."""
    before = env.get_physics()
    mutant.spoil(env)
    mujoco.mj_forward(env.model, env.data)
    try:
        return instant(env.task_spec.goal).holds(env.view)
    finally:
        env.set_physics(before)


def mutants(env: TaskEnv, episode: Episode) -> Iterator[Mutant]:
    """Every spoilt copy that makes sense for this task. The environment stands in the solved state of `episode`."""
    leaves = list(dict.fromkeys(needed(instant(env.task_spec.goal), env.view)))
    for leaf in leaves:
        if SHIFTED in rule(leaf).notices:
            yield from (_shift(env, leaf, name) for name in places(leaf) if has_pose(env, name))
        if TURNED in rule(leaf).notices and (mutant := _turn(env, leaf)):
            yield mutant
        if leaf.kind == "inside" and env.task_spec.object(leaf.container).kind in kinds_with("joint_name"):
            yield _on_roof(env, leaf)
    yield from _exchanges(env, leaves)
    yield from _undone(env, episode, leaves)
    yield from _held(env, episode, leaves)


def _shift(env: TaskEnv, leaf: Any, name: str) -> Mutant:
    """The object one object height away: up; for a tool beside it, away from the tool; for a hollow, out of it."""
    height = _height_m(env, name)
    if leaf.kind == "inside":
        inside = env.model.site(f"{leaf.container}/inside")
        height += 2 * float(inside.size.max())
    if leaf.kind == "undisturbed":  # says itself how far is not far
        height = max(height, 2 * leaf.within_m)
    up = height if leaf.kind != "tool_near" else _away_from_tool(env, name, leaf.above_m) * height

    def spoil(env: TaskEnv) -> None:
        set_pose(env, name, get_pose(env, name) + np.array([0, 0, up, 0, 0, 0, 0]))

    return Mutant(SHIFTED, f"{name!r} stands {1e3 * up:.0f} mm higher", spoil)


def _on_roof(env: TaskEnv, leaf: Any) -> Mutant:
    """The container is shut, and the object on top of it, over the middle of the hollow."""

    def spoil(env: TaskEnv) -> None:
        joint = env.model.joint(env.task_spec.object(leaf.container).joint_name)
        env.data.qpos[joint.qposadr[0]] = joint.range[0]
        mujoco.mj_kinematics(env.model, env.data)
        pose = get_pose(env, leaf.object)
        pose[:2] = env.view.site(f"{leaf.container}/inside")[:2]
        pose[2] += env.view.site(f"{leaf.container}/top")[2] - env.view.lowest_m(leaf.object)
        set_pose(env, leaf.object, pose)

    return Mutant(SHIFTED, f"{leaf.object!r} stands on top of {leaf.container!r}, which is shut", spoil)


def _height_m(env: TaskEnv, name: str) -> float:
    """From what an object rests on to its top, when it stands [m]."""
    top = float(env.view.site(f"{name}/top")[2] - env.data.body(name).xpos[2])
    return max(top + float(env.task_spec.object(name).rest_height_m), 0.01)


def _away_from_tool(env: TaskEnv, name: str, above_m: float) -> float:
    tool, goal = env.view.site(env.view.tool)[2], env.view.site(f"{name}/top")[2] + above_m
    return 1.0 if goal >= tool else -1.0


def _turn(env: TaskEnv, leaf: Any) -> Mutant | None:
    """The object turned as far off as its symmetry lets one see, at most 45°; None where the yaw does not matter."""
    tolerance = getattr(leaf, "yaw_within_rad", None) if leaf.kind == "pose_near" else leaf.within_rad
    if tolerance is None or not has_pose(env, leaf.object):
        return None
    angle = min(MOST_TURN_RAD, np.pi / max(leaf.symmetry, 1))
    what = f"{leaf.object!r} is turned by {np.degrees(angle):.0f}°"
    return Mutant(TURNED, what, lambda env: set_pose(env, leaf.object, turned(get_pose(env, leaf.object), angle)))


def _exchanges(env: TaskEnv, leaves: list[Any]) -> Iterator[Mutant]:
    """Two objects in each other's place, as if their colours were swapped, wherever the goal tells them apart."""
    spec = env.task_spec
    named = {name for name, _ in spec.goal.names()}
    ours = [name for leaf in leaves if EXCHANGED in rule(leaf).notices for name in places(leaf)]
    others = [thing.name for thing in spec.objects if thing.name not in named]
    pairs = list(combinations(dict.fromkeys(ours), 2))
    pairs += [(name, other) for name in dict.fromkeys(ours) for other in others]
    jointed = {leaf.object for leaf in leaves if leaf.kind in BY_JOINT}
    for one, other in pairs:
        if spec.object(one).kind == spec.object(other).kind and not interchangeable(spec.goal, leaves, one, other):
            what = f"{one!r} and {other!r} exchange places"
            if one not in jointed:
                yield Mutant(EXCHANGED, what, _exchange_poses(env, one, other))
            elif abs(env.view.fraction(one) - env.view.fraction(other)) > ALIKE:
                yield Mutant(EXCHANGED, what, _exchange_joints(env, one, other))


def _exchange_poses(env: TaskEnv, one: str, other: str) -> Callable[[TaskEnv], None]:
    """Each at its own height over the other's support."""
    rises = env.task_spec.object(one).rest_height_m - env.task_spec.object(other).rest_height_m
    up = np.array([0, 0, rises, 0, 0, 0, 0])

    def spoil(env: TaskEnv) -> None:
        first, second = get_pose(env, one), get_pose(env, other)
        set_pose(env, one, second + up)
        set_pose(env, other, first - up)

    return spoil


def _exchange_joints(env: TaskEnv, one: str, other: str) -> Callable[[TaskEnv], None]:
    first, second = own_qpos(env, one), own_qpos(env, other)

    def spoil(env: TaskEnv) -> None:
        env.data.qpos[first], env.data.qpos[second] = env.data.qpos[second], env.data.qpos[first]

    return spoil


def _undone(env: TaskEnv, episode: Episode, leaves: list[Any]) -> Iterator[Mutant]:
    """One thing that was brought about is as it was at the start: a stage's, or a part's of the goal."""
    stages = [leaf for stage in env.task_spec.stages for leaf in needed(instant(stage.goal), env.view)]
    achieved = [leaf for leaf in dict.fromkeys([*leaves, *stages]) if leaf.holds(env.view)]
    start, end = qpos_of(env, episode.physics[0]), env.get_physics()
    env.set_physics(episode.physics[0])
    new = [leaf for leaf in achieved if not leaf.holds(env.view) and UNDONE in rule(leaf).notices]
    env.set_physics(end)
    for leaf in new:
        names = moved(leaf)
        index = [i for name in names for i in own_qpos(env, name)] if names else robot_qpos(env)
        what = f"{' and '.join(map(repr, names)) or 'the robot'} is where it was before ({leaf.kind})"
        yield Mutant(UNDONE, what, _restore(index, start))


def _restore(index: list[int], qpos: np.ndarray) -> Callable[[TaskEnv], None]:
    def spoil(env: TaskEnv) -> None:
        env.data.qpos[index] = qpos[index]

    return spoil


def _held(env: TaskEnv, episode: Episode, leaves: list[Any]) -> Iterator[Mutant]:
    """Everything is done but the robot, which stands as when it had the object in its gripper at that very place."""
    placed = {name for leaf in leaves if HELD in rule(leaf).notices for name in moved(leaf)}
    for name in carried(env, episode.physics):
        if name in placed:
            qpos = qpos_of(env, episode.physics)
            place_m = qpos[:, free_qpos(env, name)][:, :3]
            away = np.linalg.norm(place_m - get_pose(env, name)[:3], axis=1)
            tool = np.linalg.norm(episode.motion - place_m, axis=1)
            there = np.where(away <= SAME_PLACE_M, tool, np.inf)
            spoil = _restore(robot_qpos(env), qpos[int(there.argmin())])
            near = there.min() <= tool.min() + GRIP_M  # or it fell the last bit, and was never held there
            if near and _possible(env, spoil, name):
                yield Mutant(HELD, f"{name!r} is still in the gripper", spoil)


def _possible(env: TaskEnv, spoil: Callable[[TaskEnv], None], held: str) -> bool:
    """Whether the robot could be there: not through a lid that has been shut, or what was put on top since."""
    before, robot = env.get_physics(), PREFIX.rstrip("/")
    spoil(env)
    mujoco.mj_forward(env.model, env.data)
    pairs = [
        (contact.dist, {owner(env, body) for body in env.model.geom_bodyid[contact.geom]})
        for contact in env.data.contact
    ]
    depths = [-dist for dist, owners in pairs if robot in owners and held not in owners]
    env.set_physics(before)
    return max(depths, default=0.0) <= TOUCH_M
