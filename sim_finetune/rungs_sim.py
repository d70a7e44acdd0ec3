"""Rungs R4–R7, which run the scene: a candidate in, the same out; ValueError says what went wrong, for which seed."""

import copy
from collections.abc import Iterator

import mujoco
import numpy as np
from jaxtyping import Bool, Float

from sim_finetune.control import put_at
from sim_finetune.embodiment import PREFIX
from sim_finetune.env import TaskEnv
from sim_finetune.episode import make_env
from sim_finetune.objects import SceneObject
from sim_finetune.players import Player, Random, Still
from sim_finetune.predicates import SceneView
from sim_finetune.predicates.places import hollow_gap_m, rests_on
from sim_finetune.render import Camera
from sim_finetune.rollout import Row, play_through, play_together
from sim_finetune.rungs_text import Candidate
from sim_finetune.solvers import solver_for

CHANGED = 8  # of 255; a pixel that differs by more shows the object
IK_RESTARTS = 6  # the solver takes few steps a call, because it is made for small motions


def settles(
    candidate: Candidate,
    *,
    placements: int,
    seeds: int,
    seconds: float,
    penetration_m: float,
    drift_m: float,
    drift_rad: float,
) -> Candidate:
    """R4: there is room at `placements` seeds; left alone, nothing explodes, sinks in or wanders, and everything is
    where the task says that it starts.
    """
    env, deepest_m = make_env(candidate.task, candidate.studio), 0.0
    starts = {seed: env.reset(seed=seed)[1] for seed in candidate.seeds(placements)}
    names = [thing.name for thing in candidate.task.objects]
    for seed in candidate.seeds(seeds):
        env.reset(seed=seed)
        before = _poses(env)
        for _ in range(round(seconds * env.control_hz)):
            env.step(env.target().astype(np.float32))
        if not np.isfinite(env.get_physics()).all():
            raise ValueError(f"physics diverges (seed {seed})")
        deepest_m = max(deepest_m, _penetration_m(env))
        if deepest_m > penetration_m:
            raise ValueError(f"bodies sink {1e3 * deepest_m:.1f} mm into each other (seed {seed})")
        _check_drift(env, before, names, seed, drift_m, drift_rad)
        _check_premises(env, seed, drift_m)
    done = tuple(seed for seed, info in starts.items() if info["goal_holds"])
    return candidate._replace(facts={"deepest_m": deepest_m}, done_at_start=done)


def _poses(env: TaskEnv) -> tuple[np.ndarray, np.ndarray]:
    return env.data.xpos.copy(), env.data.xmat.reshape(-1, 3, 3).copy()


def _penetration_m(env: TaskEnv) -> float:
    return float(max((-contact.dist for contact in env.data.contact), default=0.0))


def _check_drift(env: TaskEnv, before: tuple, names: list[str], seed: int, drift_m: float, drift_rad: float) -> None:
    places, turns = _poses(env)
    for name in names:
        body = env.model.body(name).id
        moved = float(np.linalg.norm(places[body] - before[0][body]))
        cosine = (np.trace(turns[body] @ before[1][body].T) - 1) / 2
        turned = float(np.arccos(np.clip(cosine, -1, 1)))
        if moved > drift_m or turned > drift_rad:
            raise ValueError(
                f"{name!r} drifts {1e3 * moved:.1f} mm and {np.degrees(turned):.1f}° by itself (seed {seed})"
            )


def _check_premises(env: TaskEnv, seed: int, drift_m: float) -> None:
    """What the task says of the start is still true: each object in its region, or on or in what it was put on or in."""
    arranged = {name for layout in env.task_spec.layouts for name in layout.objects}
    for thing in env.task_spec.objects:
        if thing.name not in arranged and not _stands(env.view, thing, drift_m):
            where = [round(float(value), 3) for value in env.view.centre(thing.name)]
            raise ValueError(f"{thing.name!r} is not where it was placed: it is at {where} (seed {seed})")


def _stands(view: SceneView, thing: SceneObject, drift_m: float) -> bool:
    place = thing.place
    if place is None or place.kind == "region":
        low, high = np.split(np.array(thing.region_m if place is None else place.region_m), 2)
        xy = view.centre(thing.name)[:2]
        return bool((xy >= low - drift_m).all() and (xy <= high + drift_m).all())
    if place.kind == "on":  # within_m counts along both axes
        return rests_on(view, thing.name, place.support, np.sqrt(2) * place.within_m + drift_m)
    return place.kind != "inside" or hollow_gap_m(view, thing.name, place.container) == 0


def visible(candidate: Candidate, *, seeds: int, pixel_share: float, seed_share: float) -> Candidate:
    """R5: each goal object fills enough pixels of some policy camera at the start of most episodes."""
    env, facts = make_env(candidate.task, candidate.studio), {}
    for thing in candidate.task.goal_objects():
        shares = []
        for seed in candidate.seeds(seeds):
            env.reset(seed=seed)  # may change the model's lamp and cameras
            camera = Camera(model=_without(env.model, thing.name), image_px=env.image_px)
            shares.append(max(float(_seen(env, camera, name).mean()) for name in env.cameras))
        seen = int(np.sum(np.array(shares) >= pixel_share))
        if seen < seed_share * seeds:
            raise ValueError(
                f"{thing.name!r} fills {pixel_share:.2%} of a picture at only {seen} of {seeds} starts "
                f"(half of them: {np.median(shares):.2%} or less)"
            )
        facts[thing.name] = float(np.median(shares))
    return candidate._replace(facts={"pixel_share": facts})


def _without(model: mujoco.MjModel, name: str) -> mujoco.MjModel:
    """The model with one object, and all that hangs on it, invisible."""
    bare = copy.copy(model)
    root = model.body(name).rootid[0]
    bare.geom_rgba[model.body_rootid[model.geom_bodyid] == root, 3] = 0.0
    return bare


def _seen(env: TaskEnv, without: Camera, camera: str) -> Bool[np.ndarray, "h w"]:
    difference = env.draw(camera).astype(int) - without.draw(env.data, camera).astype(int)
    return np.abs(difference).max(axis=-1) > CHANGED


def not_solved(
    candidate: Candidate, *, still_seeds: int, still_s: float, random_seeds: int, random_share: float
) -> Candidate:
    """R6: not solved at any start that R4 saw, nor by waiting `still_s` seconds, nor by random actions in more than
    `random_share`.
    """
    if done := candidate.done_at_start:
        raise ValueError(f"solved by doing nothing: at the start already (seeds {list(done[:5])})")
    short = candidate.studio._replace(max_steps=round(still_s * candidate.studio.control_hz))
    for row in _rows(candidate._replace(studio=short), Still(), still_seeds):
        if row["success_once"]:
            raise ValueError(f"solved by doing nothing (seed {row['seed']})")
    lucky = 0
    for row in _rows(candidate, Random(seed=candidate.first_seed), random_seeds):
        lucky += row["success_held"]
        if lucky > random_share * random_seeds:
            raise ValueError(
                f"random actions solve {lucky} of {random_seeds} episodes or more; at most {random_share:.0%} may be"
            )
    return candidate._replace(facts={"random_solved": lucky, "random_seeds": random_seeds})


def _rows(candidate: Candidate, player: Player, count: int) -> Iterator[Row]:
    """One after the other in one environment, as far as they are asked for."""
    env = make_env(candidate.task, candidate.studio)
    for seed in candidate.seeds(count):
        yield play_together([play_through(env, seed=seed, execute_steps=1)], player)[0].row


def reachable(
    candidate: Candidate, *, seeds: int, seed_share: float, above_m: float, within_m: float, touch_m: float
) -> Candidate:
    """R7: the tool gets `above_m` over every goal object (or its handle) without touching anything on its way there."""
    env = make_env(candidate.task, candidate.studio)
    failures = []
    for seed in candidate.seeds(seeds):
        env.reset(seed=seed)
        sites = {thing.name: _goal_site(env, thing.name) for thing in candidate.task.goal_objects()}
        failures += [
            (name, seed) for name, site in sites.items() if not _reaches(env, site, above_m, within_m, touch_m)
        ]
    missed = {seed for _, seed in failures}
    if seeds - len(missed) < seed_share * seeds:
        name, seed = failures[0]
        body = candidate.studio.embodiment.name
        raise ValueError(f"{body} cannot get to {name!r} (seed {seed}; {len(missed)} of {seeds} seeds)")
    return candidate._replace(facts={"missed": sorted(missed), "seeds": seeds})


def _goal_site(env: TaskEnv, name: str) -> Float[np.ndarray, "3"]:
    """Where the tool has to go for an object: its handle if it has one, or its top [m]."""
    handle = mujoco.mj_name2id(env.model, mujoco.mjtObj.mjOBJ_SITE, f"{name}/handle")
    return env.view.site(f"{name}/handle" if handle >= 0 else f"{name}/top").copy()


def _reaches(env: TaskEnv, site: Float[np.ndarray, "3"], above_m: float, within_m: float, touch_m: float) -> bool:
    """Whether inverse kinematics ends near the point, and the body, put there, sinks into nothing."""
    solver, before = solver_for(env.embodiment), env.get_physics()
    point, state = site + np.array([0, 0, above_m]), env.target()
    for _ in range(IK_RESTARTS):
        state[:-1] = solver.solve(state[:-1], point, 0.0)
    put_at(env.data, env.wiring, env.embodiment, state)
    mujoco.mj_forward(env.model, env.data)
    arrived = np.linalg.norm(env.view.site(env.view.tool) - point) <= within_m
    depths = [
        -contact.dist
        for contact in env.data.contact
        if _is_robot(env, contact.geom[0]) or _is_robot(env, contact.geom[1])
    ]
    env.set_physics(before)
    return bool(arrived) and max(depths, default=0.0) <= touch_m


def _is_robot(env: TaskEnv, geom: int) -> bool:
    return env.model.body(env.model.geom_bodyid[geom]).name.startswith(PREFIX)
