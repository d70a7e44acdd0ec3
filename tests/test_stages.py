"""Stages are taken in order, one a look, and count for reward and success; reward terms are named and bounded."""

import mujoco
import numpy as np
import pytest
from small_tasks import small_env, small_task, thing

from sim_finetune.nesting import put

STAND = thing("stand", "stand", half_extents_m=[0.03, 0.03, 0.02])


def at(name, support="stand"):
    return {"kind": "on_top", "object": name, "support": support, "within_m": 0.02}


def stage(goal, **fields):
    return {"goal": goal, "instruction": "do it with the {a}", "weight": 1, "timeout_s": 60, **fields}


def two_stages(*, timeout_s=60, goal=None, **fields):
    """First `a` is lifted (weight 3), then it is on the stand; the goal is that b stands on it."""
    first = stage({"kind": "height_above", "object": "a", "above_m": 0.1}, weight=3, timeout_s=timeout_s)
    objects = [thing("a"), thing("b", colour="blue"), STAND]
    return small_task(*objects, goal=goal or at("b", "a"), stages=[first, stage(at("a"))], **fields)


def stand_ready(spec):
    """An environment, and a function that puts things over the stand's place (bottom at a height) and looks."""
    env = small_env(spec)
    env.reset(seed=0)
    put(env.model, env.data, "stand", np.array([0.1, 0, 0.02]), 0.0)

    def look(**bottoms):
        for name, bottom_m in bottoms.items():
            put(env.model, env.data, name, np.array([0.1, 0, bottom_m + 0.02]), 0.0)
        mujoco.mj_forward(env.model, env.data)
        return env._report()

    return env, look


def test_stages_are_taken_in_order_and_the_goal_alone_is_no_success():
    _, look = stand_ready(two_stages())
    info = look(a=0.04, b=0.08)  # all stands as the goal asks, but nothing was lifted
    assert not info["goal_holds"] and info["stages"].tolist() == [False, False]
    info = look(a=0.15)
    assert info["stages"].tolist() == [True, False]
    info = look(a=0.04)
    assert info["stages"].tolist() == [True, True] and info["goal_holds"] and info["success"]
    info = look(b=0.3)
    assert info["stages"].tolist() == [True, True] and not info["goal_holds"], (
        "a stage stays done, the goal has to hold"
    )


def test_a_look_completes_at_most_one_stage():
    lifted = {"kind": "height_above", "object": "a", "above_m": 0.1}
    _, look = stand_ready(small_task(thing("a"), STAND, goal=at("a"), stages=[stage(lifted), stage(lifted)]))
    assert look(a=0.2)["stages"].tolist() == [True, False]
    assert look(a=0.2)["stages"].tolist() == [True, True]


def test_progress_weighs_stages_and_goal():
    _, look = stand_ready(two_stages())
    assert look(a=0.04, b=0.08)["reward_terms"]["stage_1"] == 0.0, "not begun"
    info = look(a=0.15)
    terms = info["reward_terms"]
    assert terms["stage_0"] == 1.0 and 0 < terms["stage_1"] < 1 and 0 < terms["goal_0_on_top"] < 1
    assert info["progress"] == pytest.approx((3 + terms["stage_1"] + terms["goal_0_on_top"]) / 5)
    assert look(a=0.04)["progress"] == 1.0


def test_a_late_stage_cuts_the_episode_and_a_reset_forgets():
    env, look = stand_ready(two_stages(timeout_s=0.25))
    cut = [env.step(env.target())[3] for _ in range(3)]
    assert cut == [False, False, True]
    env.reset(seed=0)
    put(env.model, env.data, "stand", np.array([0.1, 0, 0.02]), 0.0)
    look(a=0.15)
    assert [env.step(env.target())[3] for _ in range(4)] == [False] * 4, "the second stage has 60 s of its own"
    env.reset(seed=0)
    assert not env._report()["stages"].any()


def test_written_terms_make_the_reward():
    terms = [
        {"name": "high", "term": {"kind": "height_above", "object": "a", "above_m": 0.1}, "weight": 1},
        {"name": "there", "term": at("a"), "weight": 3},
    ]
    env, look = stand_ready(small_task(thing("a"), STAND, goal=at("a"), rewards=terms))
    assert look(a=0.2)["reward_terms"].keys() == {"high", "there"}
    look(a=0.04)
    _, reward, _, _, info = env.step(env.target())
    assert info["reward_terms"]["there"] == info["progress"] == 1.0
    assert reward == pytest.approx((info["reward_terms"]["high"] + 3) / 4)
    assert 0 < info["reward_terms"]["high"] < 1


def test_without_stages_the_reward_is_the_goals_progress():
    env, _ = stand_ready(small_task(thing("a"), STAND, goal={"kind": "all", "parts": [at("a"), at("a")]}))
    _, reward, _, _, info = env.step(env.target())
    assert reward == info["progress"] == pytest.approx(np.mean(list(info["reward_terms"].values())))
    assert list(info["reward_terms"]) == ["goal_0_on_top", "goal_1_on_top"] and info["stages"].shape == (0,)


def test_goal_objects_are_those_of_all_stages_but_not_what_is_left_alone():
    spec = two_stages(
        goal={"kind": "all", "parts": [at("a"), {"kind": "undisturbed", "objects": ["b"], "within_m": 0.1}]}
    )
    assert [one.name for one in spec.goal_objects()] == ["a", "stand"]


FAULTS = [
    ({"stages": [stage(at("cup"))]}, "no object 'cup'; this task has"),
    (
        {"stages": [stage({"kind": "in_zone", "object": "a", "zone": "stand", "fraction": 1})]},
        "stage 0 needs 'stand' to be",
    ),
    ({"stages": [stage(at("a"), instruction="the {cup}")]}, "no object 'cup'"),
    ({"stages": [stage(at("a"), weight=0)]}, r"stages\.0\.weight: Input should be greater than 0"),
    ({"stages": [stage(at("a"), timeout_s=float("nan"))]}, r"stages\.0\.timeout_s"),
    ({"rewards": [{"name": "x", "term": at("cup"), "weight": 1}]}, "no object 'cup'"),
    ({"rewards": [{"name": "x", "term": at("a"), "weight": 1}] * 2}, "two reward terms share a name"),
    ({"oracle": [{"skill": "juggle", "object": "a"}]}, r"oracle\.0\.skill: Input should be 'reach', 'grasp'"),
    ({"oracle": [{"skill": "place", "object": "a", "target": "cup"}]}, "no object 'cup'"),
    ({"oracle": [{"skill": "push", "object": "a", "site": "handle"}]}, "no site 'handle' on 'a', a block; it has"),
]


@pytest.mark.parametrize(("fields", "message"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_named_in_one_line(fields, message):
    with pytest.raises(ValueError, match=message) as caught:
        small_task(thing("a"), STAND, **fields)
    assert "\n" not in str(caught.value)
