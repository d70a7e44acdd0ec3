"""Each kind of statement: true and false where its words say, progress in [0, 1] and 1 when it holds, JSON and back."""

from typing import Any, NamedTuple

import mujoco
import numpy as np
import pytest
from pydantic import TypeAdapter
from small_tasks import small_env, small_task, thing
from things import CASES

from sim_finetune.expert import Expert
from sim_finetune.nesting import put
from sim_finetune.placement import pattern_offsets
from sim_finetune.predicates import AnyPredicate, every, kind_of, predicate_classes
from sim_finetune.predicates.sets import pattern_error

A, B, C = thing("a"), thing("b"), thing("c")
BIG, TALL = thing("big", half=0.03), thing("tall", half_extents_m=[0.015, 0.015, 0.04])
ZONE = thing("zone", "zone", half_extents_m=[0.05, 0.05])
HIGH, AWAY = {"a": [0, 0, 0.2]}, {"a": [0.2, 0.2, 0]}


def made(kind: str, name: str) -> dict[str, Any]:
    fields = {key: value for key, value in thing(name).items() if key != "half_extents_m"}
    return {**fields, "kind": kind, **CASES[kind]}


class Case(NamedTuple):
    """true, false: {object: (x, y, z of its bottom[, yaw])} or {object: share of its joint's range}."""

    goal: dict[str, Any]
    objects: list[dict[str, Any]]
    true: list[dict[str, Any]]
    false: list[dict[str, Any]]


ON = {"kind": "on_top", "object": "a", "support": "b", "within_m": 0.02}
TO_B = {"object": "a", "other": "b"}
HELD = {"kind": "height_above", "object": "a", "above_m": 0.1}
NEAR = {"kind": "pose_near", "object": "a", "target": "b", "within_m": 0.01, "yaw_within_rad": 0.2, "symmetry": 4}
ON_B, OFF_B = {"a": [0, 0, 0.04], "b": [0, 0, 0]}, {"a": [0.1, 0, 0], "b": [0, 0, 0]}
LINE = {"kind": "layout_matches", "objects": ["a", "b", "c"], "layout": "line", "pitch_m": 0.06, "within_m": 0.01}
ROW = {"a": [0.06, 0.06, 0], "b": [0, 0, 0], "c": [0.03, 0.03, 0]}
OFF_ROW = {"a": [0.06, 0, 0], "b": [0, 0, 0], "c": [0.03, 0.03, 0]}
HALF = 0.06 * 2**0.5 / 2
STRAIGHT = {"a": [HALF, HALF, 0], "b": [-HALF, -HALF, 0], "c": [0, 0, 0]}
PAIRS = [["a", "zone"], ["b", "box"], ["c", "stand"]]
HOMES = {
    "a": [0.02, 0, 0],
    "zone": [0, 0, 0],
    "b": [0.2, 0.03, 0.006],
    "box": [0.2, 0, 0],
    "c": [-0.2, 0, 0.04],
    "stand": [-0.2, 0, 0],
}
JOINT = {"kind": "joint_fraction", "object": "knob"}
ROPE = {"kind": "rope_between", "rope": "rope", "first": "a", "second": "b", "within_m": 0.02}
SWEPT = {"kind": "swept", "pile": "pile", "zone": "zone", "fraction": 0.5}
SORTED = {"kind": "sorted_by", "objects": ["a", "big", "tall"], "axis": "y"}
TRIO = [A, BIG, TALL]
Y = {"a": [0, 0, 0], "tall": [0, 0.08, 0], "big": [0, 0.16, 0]}

SHOWN = {
    "tool_near": Case(
        {"kind": "tool_near", "object": "a", "above_m": 0.0, "within_m": 0.2}, [A], [{"a": "tool"}], [AWAY]
    ),
    "released": Case({"kind": "released", "object": "a", "clear_m": 0.05}, [A], [AWAY], [{"a": "tool"}]),
    "grasped": Case({"kind": "grasped", "object": "a"}, [A], [], [AWAY, HIGH, {"a": "tool"}]),
    "in_contact": Case(
        {"kind": "in_contact", "object": "a", "other": "b"},
        [A, B],
        [{"a": [0, 0, 0.0399], "b": [0, 0, 0]}, {"a": [0.0399, 0, 0], "b": [0, 0, 0]}],
        [OFF_B, {"a": [0, 0, 0.05], "b": [0, 0, 0]}],
    ),
    "in_zone": Case(
        {"kind": "in_zone", "object": "a", "zone": "zone", "fraction": 0.8},
        [A, ZONE],
        [{"a": [0.02, 0, 0], "zone": [0, 0, 0]}],
        [{"a": [0.05, 0, 0], "zone": [0, 0, 0]}, {"a": [0, 0, 0.02], "zone": [0, 0, 0]}],
    ),
    "on_top": Case(ON, [A, B], [ON_B], [OFF_B, {**ON_B, "a": [0.03, 0, 0.04]}, {**ON_B, "a": [0, 0, 0.06]}]),
    "inside": Case(
        {"kind": "inside", "object": "a", "container": "box"},
        [A, made("container", "box")],
        [{"a": [0, 0.02, 0.006], "box": [0, 0, 0]}],
        [{"a": [0.1, 0, 0], "box": [0, 0, 0]}, {"a": [0, 0, 0.1], "box": [0, 0, 0]}],
    ),
    "height_above": Case(HELD, [A], [{"a": [0, 0, 0.11]}], [{"a": [0, 0, 0.09]}]),
    "swept": Case(
        SWEPT,
        [made("pile", "pile"), {**ZONE, "half_extents_m": [0.1, 0.1]}],
        [{"pile": [0, 0, 0], "zone": [0, 0, 0]}, {"pile": [0.09, 0, 0], "zone": [0, 0, 0]}],
        [{"pile": [0.12, 0, 0], "zone": [0, 0, 0]}],
    ),
    "joint_fraction": Case(
        {**JOINT, "at_least": 0.5, "at_most": 0.7},
        [made("knob", "knob")],
        [{"knob": 0.6}],
        [{"knob": 0.4}, {"knob": 0.8}],
    ),
    "pressed": Case({"kind": "pressed", "object": "it"}, [made("button", "it")], [{"it": 0.9}], [{"it": 0.5}]),
    "toggled": Case(
        {"kind": "toggled", "object": "it", "on": False}, [made("switch", "it")], [{"it": 0.1}], [{"it": 0.5}]
    ),
    "pose_near": Case(
        NEAR,
        [A, made("square", "b")],
        [{"a": [0.005, 0, 0, 0.1], "b": [0, 0, 0]}, {"a": [0, 0, 0, np.pi / 2 - 0.1], "b": [0, 0, 0]}],
        [
            {"a": [0, 0, 0, 0.3], "b": [0, 0, 0]},
            {"a": [0.011, 0, 0], "b": [0, 0, 0]},
            {"a": [0, 0, 0.02], "b": [0, 0, 0]},
        ],
    ),
    "aligned_with": Case(
        {"kind": "aligned_with", "object": "a", "target": "b", "within_rad": 0.1, "symmetry": 2},
        [A, B],
        [{"a": [0, 0, 0, 3.2], "b": [0.1, 0, 0, 0.02]}],
        [{"a": [0, 0, 0, 1.6], "b": [0.1, 0, 0]}],
    ),
    "upright": Case(
        {"kind": "upright", "object": "a", "within_rad": 0.2}, [A], [{"a": [0, 0, 0, 2.0]}], [{"a": "tipped"}]
    ),
    "undisturbed": Case(
        {"kind": "undisturbed", "objects": ["a", "b"], "within_m": 0.01},
        [A, B],
        [{}],
        [{"b": [0.3, 0, 0]}, {"a": [0, 0.3, 0]}],
    ),
    "layout_matches": Case(
        LINE,
        [A, B, C],
        [STRAIGHT, {name: [x + 0.05, y - 0.02, 0] for name, (x, y, _) in STRAIGHT.items()}],
        [OFF_ROW, {**STRAIGHT, "a": [HALF, HALF, 0.04]}, ROW],
    ),
    "sorted_by": Case(
        {**SORTED, "by": "size"}, TRIO, [Y], [{**Y, "a": [0, 0.08, 0], "tall": [0, 0, 0]}, {**Y, "big": [0, 0.085, 0]}]
    ),
    "assigned": Case(
        {"kind": "assigned", "pairs": PAIRS},
        [A, B, C, ZONE, made("container", "box"), thing("stand", "stand")],
        [HOMES],
        [
            {**HOMES, "a": [0.1, 0.1, 0]},
            {**HOMES, "b": [0.2, 0.1, 0]},
            {**HOMES, "c": [-0.2, 0, 0]},
            {**HOMES, "a": [0, 0, 0.05]},
        ],
    ),
    "rope_between": Case(
        ROPE,
        [made("rope", "rope"), A, B],
        [
            {"rope": [0, 0, 0], "a": [-0.2, 0, 0], "b": [0.2, 0, 0]},
            {"rope": [0, 0, 0], "b": [-0.2, 0, 0], "a": [0.2, 0, 0]},
        ],
        [{"rope": [0, 0, 0], "a": [-0.2, 0, 0], "b": [0, 0.2, 0]}],
    ),
    "near": Case({**TO_B, "kind": "near", "within_m": 0.1}, [A, B], [OFF_B], [ON_B, {**OFF_B, "a": [0.1, 0.01, 0]}]),
    "apart": Case({**TO_B, "kind": "apart", "at_least_m": 0.1}, [A, B], [OFF_B], [{**OFF_B, "a": [0.09, 0, 0]}, HIGH]),
    "beside": Case(
        {**TO_B, "kind": "beside", "side": "front", "offset_m": 0.1, "within_m": 0.02},
        [A, B],
        [OFF_B],
        [{**OFF_B, "a": place} for place in ([-0.1, 0, 0], [0.1, 0.03, 0], [0.1, 0, 0.05])],
    ),
    "in_region": Case(
        {"kind": "in_region", "object": "a", "region_m": [0, 0, 1, 1]}, [A], [{"a": [0.1, 0, 0]}], [HIGH]
    ),
    "all": Case({"kind": "all", "parts": [ON, NEAR]}, [A, B], [ON_B], [OFF_B, {**ON_B, "a": [0, 0, 0.04, 0.5]}]),
    "any": Case({"kind": "any", "parts": [ON, HELD]}, [A, B], [ON_B, {**ON_B, "a": [0.1, 0, 0.2]}], [OFF_B]),
    "not": Case({"kind": "not", "part": ON}, [A, B], [OFF_B], [ON_B, {**ON_B, "a": [0.03, 0, 0.04]}]),
    "at_least": Case(
        {"kind": "at_least", "count": 2, "parts": [ON, HELD, {**NEAR, "within_m": 0.02}]},
        [A, B],
        [ON_B],
        [OFF_B, {**ON_B, "a": [0, 0, 0.04, 0.5]}, {**ON_B, "a": [0, 0, 0.2]}],
    ),
    "hold_for": Case({"kind": "hold_for", "seconds": 0.2, "part": ON}, [A, B], [], [OFF_B, ON_B]),
}


def test_every_kind_is_shown_here():
    assert {kind_of(cls) for cls in predicate_classes()} == set(SHOWN)


def arrange(env, scene: dict[str, Any]) -> None:
    """Put things as a case says, without physics."""
    for name, where in scene.items():
        one = env.task_spec.object(name)
        if isinstance(where, float):
            low, high = one.joint_range
            env.data.joint(one.joint_name).qpos[0] = low + where * (high - low)
        elif where == "tool":
            put(env.model, env.data, name, env.view.site(env.view.tool) - [0, 0, 0.02], 0.0)
        elif where == "tipped":
            env.data.joint(name).qpos[3:] = [np.cos(0.2), np.sin(0.2), 0, 0]
        else:
            put(
                env.model,
                env.data,
                name,
                np.array([*where[:2], where[2] + one.rest_height_m]),
                where[3] if where[3:] else 0.0,
            )
    mujoco.mj_forward(env.model, env.data)


@pytest.mark.parametrize("kind", SHOWN)
def test_holds_where_it_should(kind):
    case = SHOWN[kind]
    env = small_env(small_task(*case.objects, goal=case.goal, clearance_m=0))
    for wanted, scenes in ((True, case.true), (False, case.false)):
        for scene in scenes:
            env.reset(seed=0)
            arrange(env, scene)
            goal = env.task_spec.goal
            assert goal.holds(env.view) is wanted, scene
            assert 0 <= goal.progress(env.view) <= 1
            assert not wanted or goal.progress(env.view) == 1


@pytest.mark.parametrize("kind", SHOWN)
def test_json_and_back(kind):
    adapter = TypeAdapter(AnyPredicate)
    goal = adapter.validate_python(SHOWN[kind].goal)
    assert adapter.validate_json(goal.model_dump_json()) == goal
    assert list(every(goal))[-1] is goal
    assert {name for part in every(goal) for name, _ in part.names()} == {name for name, _ in goal.names()}


def test_sorting_by_height_is_not_by_size():
    env = small_env(small_task(*TRIO, goal={**SORTED, "by": "height"}, clearance_m=0))
    env.reset(seed=0)
    arrange(env, Y)
    assert not env.task_spec.goal.holds(env.view)
    arrange(env, {"tall": [0, 0.2, 0]})
    assert env.task_spec.goal.holds(env.view)


def test_hold_for_counts_simulated_time_and_starts_again():
    env = small_env(small_task(A, B, goal=SHOWN["hold_for"].goal, clearance_m=0))
    env.reset(seed=0)
    arrange(env, ON_B)
    held = [env.step(env.target())[-1]["goal_holds"] for _ in range(4)]
    assert held == [False, False, True, True]  # seen at 0.1, 0.2 and 0.3 s
    arrange(env, {"a": [0.1, 0, 0]})
    assert not env.step(env.target())[-1]["goal_holds"]
    arrange(env, ON_B)
    assert [env.step(env.target())[-1]["goal_holds"] for _ in range(3)] == [False, False, True]
    env.reset(seed=0)
    assert not env.view.since


def test_grasped_is_true_while_the_expert_lifts():
    spec = small_task(A, goal={"kind": "all", "parts": [HELD, {"kind": "grasped", "object": "a"}]})
    env = small_env(spec)
    env.reset(seed=1)
    expert = Expert(env, noise=0.0, rng=np.random.default_rng(0))
    infos = [env.step(expert.act())[-1] for _ in range(60)]
    assert any(info["goal_holds"] for info in infos)
    assert infos[-1]["reward_terms"].keys() == {"goal_0_height_above", "goal_1_grasped"}


@pytest.mark.parametrize("pattern", ["line", "grid", "ring"])
def test_a_pattern_is_found_however_it_lies(pattern):
    rng = np.random.default_rng(0)
    for count in range(2, 10):
        offsets = pattern_offsets(pattern, count, 0.06)
        turn = rng.uniform(0, 2 * np.pi)
        axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * [1, rng.choice([-1, 1])]
        places = rng.permutation(offsets @ axes.T + rng.uniform(-1, 1, 2))
        assert pattern_error(places, offsets) < 1e-9
        assert pattern_error(places + rng.uniform(-0.003, 0.003, places.shape), offsets) < 0.006
        places[0] += 0.8 * (places[0] - places.mean(axis=0))
        assert pattern_error(places, offsets) > 0.005


FAULTS = [
    ({**JOINT, "object": "a", "at_least": 0.5}, "needs 'a' to be one of .*; it is a block"),
    ({"kind": "joint_fraction", "object": "knob"}, "needs at_least, at_most or both"),
    ({**JOINT, "at_least": 0.8, "at_most": 0.2}, "no joint is at least 0.8 and at most 0.2"),
    ({**JOINT, "at_least": 1.2}, "less than or equal to 1"),
    ({"kind": "at_least", "count": 2, "parts": [ON]}, "at_least 2 of 1 parts can never hold"),
    ({"kind": "inside", "object": "a", "container": "b"}, "no site 'inside' on 'b', a block"),
    ({**NEAR, "site": "slot1"}, "no site 'slot1' on 'b', a block; it has"),
    ({**LINE, "pitch_m": None}, "a line needs pitch_m"),
    ({"kind": "not", "part": {**ON, "object": "cup"}}, "no object 'cup'; this task has"),
    ({"kind": "pressed", "object": "knob"}, r"one of \['button'\]; it is a knob"),
    ({"kind": "undisturbed", "objects": ["knob"], "within_m": 0.01}, "'knob' to be one of .*'block'"),
    ({"kind": "floats", "object": "a"}, "does not match any of the expected tags"),
]


@pytest.mark.parametrize(("goal", "message"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_named_in_one_line(goal, message):
    with pytest.raises(ValueError, match=message) as caught:
        small_task(A, B, C, made("knob", "knob"), goal=goal)
    assert "\n" not in str(caught.value)
