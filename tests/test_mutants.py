"""Mutants: each kind spoils a solved scene so that an honest goal notices, and finds out a goal that does not look."""

import json
from typing import Any

import mujoco
import numpy as np
import pytest
import things
from small_sim import studio, task
from small_tasks import small_env, small_task, thing

from sim_finetune.env import TaskEnv
from sim_finetune.episode import Episode, make_env, play
from sim_finetune.goals import EXCHANGED, HELD, MUTANTS, RULES, SHIFTED, TURNED, UNDONE, instant, needed
from sim_finetune.mutants import holds_with, mutants
from sim_finetune.poses import get_pose, own_qpos, set_pose, turned
from sim_finetune.predicates import Predicate, predicate_classes
from sim_finetune.predicates.base import kind_of
from sim_finetune.rungs_proof import UNDISTURBED
from sim_finetune.spec import TaskSpec, read_spec

FAMILIES = {  # which mutants apply to the hand-written tasks
    "reach": {SHIFTED, EXCHANGED, UNDONE},
    "push_to_zone": {SHIFTED, EXCHANGED, UNDONE},
    "pick_and_place": {SHIFTED, EXCHANGED, UNDONE, HELD},
    "open_drawer": {UNDONE},
}
_PLAYED: dict[str, tuple[TaskEnv, Episode]] = {}


def with_goal(name: str, goal: dict[str, Any], **fields: Any) -> TaskSpec:
    return read_spec({**task(name).model_dump(mode="json"), "goal": goal, **fields})


def solved(name: str, spec: TaskSpec | None = None) -> tuple[TaskEnv, Episode]:
    """The state in which the oracle ended the hand-written task, seen with the eyes of `spec`'s goal."""
    if name not in _PLAYED:
        env = make_env(task(name), studio("hand", 80))
        _PLAYED[name] = env, play(env, UNDISTURBED, seed=5)
    env, episode = _PLAYED[name]
    assert episode.solved
    if spec is not None:
        env = make_env(spec, studio("hand", 80))
        env.view.start.update(_PLAYED[name][0].view.start)
    env.set_physics(episode.physics[-1])
    return env, episode


def survivors(env: TaskEnv, episode: Episode) -> set[str]:
    return {mutant.kind for mutant in mutants(env, episode) if holds_with(env, mutant)}


@pytest.mark.parametrize("name", FAMILIES)
def test_every_mutant_that_applies_flips_an_honest_goal_and_leaves_the_scene_alone(name):
    env, episode = solved(name)
    before, found = env.get_physics(), list(mutants(env, episode))
    assert {mutant.kind for mutant in found} == FAMILIES[name]
    assert survivors(env, episode) == set()
    assert np.array_equal(env.get_physics(), before) and env.task_spec.goal.holds(env.view)


LOOSE = {"kind": "pose_near", "object": "target", "target": "stand", "within_m": 0.2}
ON_STAND = {"kind": "on_top", "object": "target", "support": "stand", "within_m": 0.04}
EITHER = {"kind": "any", "parts": [ON_STAND, {**ON_STAND, "object": "other1"}]}
BLIND = {
    "ignores height": (LOOSE, SHIFTED),
    "does not ask for release": (ON_STAND, HELD),
    "any way round": ({**LOOSE, "within_m": 0.03, "yaw_within_rad": 3.1}, TURNED),
}


@pytest.mark.parametrize("case", BLIND)
def test_a_goal_that_does_not_look_is_found_out(case):
    goal, kind = BLIND[case]
    assert kind in survivors(*solved("pick_and_place", with_goal("pick_and_place", goal)))


def test_what_the_goal_does_not_tell_apart_may_be_exchanged():
    spec = with_goal("pick_and_place", EITHER)
    kinds = {mutant.kind for mutant in mutants(*solved("pick_and_place", spec))}
    assert EXCHANGED not in kinds and SHIFTED in kinds


@pytest.mark.parametrize(("other_m", "told_apart"), [(0.0, True), (0.085, False)])
def test_drawers_are_told_apart_only_when_they_stand_differently(other_m, told_apart):
    drawer = task("open_drawer").object("drawer").model_dump(mode="json")
    other = {**drawer, "name": "other", "colour": "green", "region_m": [-0.04, -0.19, 0.08, -0.16]}
    spec = read_spec({**task("open_drawer").model_dump(mode="json"), "objects": [drawer, other]})
    env = make_env(spec, studio("hand", 80))
    env.reset(seed=5)
    start = Episode(5, "", *[np.zeros((1, 3), np.float32)] * 4, env.get_physics()[None], np.ones(1, bool))
    env.data.qpos[[*own_qpos(env, "drawer"), *own_qpos(env, "other")]] = 0.085, other_m
    mujoco.mj_forward(env.model, env.data)
    exchanged = [mutant for mutant in mutants(env, start) if mutant.kind == EXCHANGED]
    assert bool(exchanged) == told_apart and not any(holds_with(env, mutant) for mutant in exchanged)


@pytest.mark.parametrize("kind", ["lidded_box", "cabinet", "microwave", "drawer"])
def test_what_lies_on_the_roof_of_a_shut_container_is_not_inside(kind):
    home = thing("home", **{"half_extents_m": [0.08, 0.06, 0.04], **things.CASES[kind], "kind": kind, "colour": "blue"})
    goal = {"kind": "inside", "object": "target", "container": "home"}
    env = small_env(small_task(home | ({"hollow": True} if kind == "drawer" else {}), thing("target"), goal=goal))
    env.reset(seed=5)
    floor_m = env.view.site("home/inside")[2] - env.view.site_half_extents("home/inside")[2]
    set_pose(env, "target", np.array([*env.view.site("home/inside")[:2], floor_m + 0.02, 1, 0, 0, 0]))
    mujoco.mj_forward(env.model, env.data)
    assert env.task_spec.goal.holds(env.view)
    done = Episode(5, "", *[np.zeros((1, 3), np.float32)] * 4, env.get_physics()[None], np.ones(1, bool))
    (mutant,) = [mutant for mutant in mutants(env, done) if "which is shut" in mutant.what]
    assert not holds_with(env, mutant)


def test_an_opposite_is_undone_where_it_was_brought_about():
    moved = {"kind": "not", "part": {"kind": "undisturbed", "objects": ["target"], "within_m": 0.02}}
    env, episode = solved("pick_and_place", with_goal("pick_and_place", moved))
    assert {mutant.kind for mutant in mutants(env, episode)} == {UNDONE} and survivors(env, episode) == set()
    never = {"kind": "not", "part": {**ON_STAND, "support": "other1"}}
    assert list(mutants(*solved("pick_and_place", with_goal("pick_and_place", never)))) == []


def test_of_several_ways_only_the_one_that_was_gone_counts():
    env, _ = solved("pick_and_place", with_goal("pick_and_place", EITHER))
    assert [leaf.object for leaf in needed(env.task_spec.goal, env.view)] == ["target"]


def test_a_stage_that_the_goal_forgets_is_found_out():
    stage = {"goal": ON_STAND, "instruction": "put the {target} on the {stand}", "weight": 1, "timeout_s": 9}
    away = {"kind": "released", "object": "target", "clear_m": 0.04}
    spec = with_goal("pick_and_place", away, stages=[stage])
    assert UNDONE in survivors(*solved("pick_and_place", spec))


def test_yaw_is_turned_as_far_as_symmetry_lets_one_see():
    goal = {"kind": "aligned_with", "object": "target", "target": "other1", "within_rad": 0.2}
    angles = []
    for symmetry in (1, 4, 6):
        spec = with_goal("push_to_zone", {**goal, "symmetry": symmetry})
        env, episode = solved("push_to_zone", spec)
        before = get_pose(env, "target")
        (mutant,) = [mutant for mutant in mutants(env, episode) if mutant.kind == TURNED]
        mutant.spoil(env)
        angles.append(2 * np.arccos(abs(float(before[3:] @ get_pose(env, "target")[3:]))))
    assert np.degrees(angles) == pytest.approx([45, 45, 30], abs=1e-3)


def test_a_time_to_hold_does_not_hide_a_goal():
    goal = {"kind": "all", "parts": [{"kind": "hold_for", "seconds": 1.0, "part": ON_STAND}]}
    env, _ = solved("pick_and_place", with_goal("pick_and_place", goal))
    assert not env.task_spec.goal.holds(env.view) and instant(env.task_spec.goal).holds(env.view)


def test_every_kind_of_predicate_has_a_rule_or_is_made_of_others():
    simple = {kind_of(cls) for cls in predicate_classes() if cls.inner is Predicate.inner}
    assert simple == set(RULES)
    assert all(set(rule.notices) <= set(MUTANTS) and rule.notices for rule in RULES.values())


def test_an_objects_own_joints_are_found():
    env, _ = solved("open_drawer")
    assert len(own_qpos(env, "drawer")) == 1 and len(own_qpos(env, "other1")) == 7
    assert turned(np.array([0, 0, 0, 1.0, 0, 0, 0]), np.pi) == pytest.approx([0, 0, 0, 0, 0, 0, 1])


def test_mutants_are_named_in_words():
    said = json.dumps([mutant.what for mutant in mutants(*solved("pick_and_place"))])
    for words in ("mm higher", "exchange places", "is where it was before (on_top)", "still in the gripper"):
        assert words in said
