"""Causes of failure: each is told from an episode made to fail in just that way; a success has none."""

import math

import numpy as np
import pytest
from small_sim import studio, task

from sim_finetune.episode import make_env
from sim_finetune.failures import CAUSES, failure
from sim_finetune.games import Played
from sim_finetune.predicates import AllOf
from sim_finetune.predicates.poses import Undisturbed

HALF_WAY, ALMOST = [0.5, 0.7], [0.5, 0.95]  # progress at the start and at the end


def env_of(name, *, leave_alone=()):
    """A task in its first state; `leave_alone`: names that the goal shall say to leave where they are."""
    spec = task(name)
    if leave_alone:
        alone = Undisturbed(kind="undisturbed", objects=leave_alone, within_m=0.02)
        spec = spec.model_copy(update={"goal": AllOf(kind="all", parts=(*spec.goal.parts, alone))})
    env = make_env(spec, studio())
    env.reset(seed=3_000_000)
    return env


def cause(env, *moves, progress=HALF_WAY, once=False, held=False):
    """Of an episode of two moments, the second after `moves`: (object, where to) or (joint, how far open [m])."""
    physics = [env.get_physics()]
    for name, value in moves:
        env.data.joint(name).qpos[:3] = value
    row = {"success_once": once, "success_held": held}
    return failure(env, Played(row, [*physics, env.get_physics()], progress, latency_ms=math.nan))


def at_tool(env, *, above_m=0.0):
    return env.view.site(env.view.tool) + np.array([0, 0, above_m])


def aside(env, name, *, by_m=0.05):
    return env.view.centre(name) + np.array([by_m, 0, 0])


def test_a_success_has_no_cause_and_one_that_was_not_held_says_so():
    env = env_of("pick_and_place")
    assert cause(env, once=True, held=True) == "" and cause(env, once=True) == "not_held"


def test_nothing_done_is_never_near():
    assert cause(env_of("pick_and_place")) == cause(env_of("open_drawer")) == cause(env_of("reach")) == "never_near"


def test_the_other_block_instead_of_the_wanted_one():
    env = env_of("pick_and_place")
    assert cause(env, ("other1", at_tool(env))) == "wrong_object"
    env = env_of("pick_and_place", leave_alone=("other1",))
    assert cause(env, ("other1", at_tool(env))) == "wrong_object"  # more telling than "disturbed"


def test_the_other_block_on_the_way_is_disturbed_only_when_the_task_minds():
    for leave_alone, expected in (((), "not_there"), (("other1",), "disturbed")):
        env = env_of("pick_and_place", leave_alone=leave_alone)
        assert cause(env, ("target", at_tool(env)), ("other1", aside(env, "other1"))) == expected


def test_moved_but_not_there_and_nearly_there():
    env = env_of("pick_and_place")
    assert cause(env, ("target", at_tool(env))) == "not_there"
    assert cause(env_of("pick_and_place"), ("target", at_tool(env)), progress=ALMOST) == "nearly"
    env = env_of("pick_and_place", leave_alone=("other1",))
    assert cause(env, ("target", at_tool(env)), ("other1", aside(env, "other1")), progress=ALMOST) == "disturbed"


def test_progress_counts_from_where_it_began():
    assert cause(env_of("reach"), progress=[0.85, 0.9]) == "never_near"
    assert cause(env_of("reach"), progress=[0.85, 0.99]) == "nearly"


def test_a_touch_moves_nothing():
    env = env_of("pick_and_place")
    assert cause(env, ("target", aside(env, "target", by_m=0.005))) == "never_near"
    env.data.joint("target").qpos[:3] = at_tool(env, above_m=0.06)
    assert cause(env, ("target", at_tool(env, above_m=0.065))) == "not_moved"


def test_an_articulated_object_moves_by_its_joint():
    env = env_of("open_drawer")
    env.data.mocap_pos[env.model.body("drawer").mocapid] = at_tool(env)
    assert cause(env, ("drawer/slide", 0.005)) == "not_moved" and cause(env, ("drawer/slide", 0.05)) == "not_there"


def test_a_task_that_moves_nothing_asks_where_the_tool_came_and_ended():
    env = env_of("reach")
    assert cause(env, ("target", at_tool(env))) == "not_there"
    env = env_of("reach")
    env.data.joint("target").qpos[:3] = at_tool(env)  # passed on the way to another
    assert cause(env, ("target", aside(env, "target")), ("other2", at_tool(env))) == "wrong_object"
    assert cause(env, progress=ALMOST) == "nearly"


@pytest.mark.parametrize("name", ["reach", "pick_and_place", "open_drawer", "lay_rope", "sweep_pile", "press_button"])
def test_every_kind_of_task_can_be_asked(name):
    assert cause(env_of(name)) in CAUSES
