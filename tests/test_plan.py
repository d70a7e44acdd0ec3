"""Plans: from a goal to skills, in an order in which nothing undoes what was done; what cannot be planned is named."""

import pytest
from simulation import task

from sim_finetune import plan as planning
from sim_finetune.plan import plan
from sim_finetune.predicates import AllOf, OnTop
from sim_finetune.spec import read_spec


def calls(spec, goal=None):
    spec = spec if goal is None else spec.model_copy(update={"goal": goal})
    return [(step.skill, step.object, step.target) for step in plan(spec)]


def on(thing, support):
    return OnTop(kind="on_top", object=thing, support=support, within_m=0.02)


def test_each_first_task_has_a_plan():
    assert calls(task("reach")) == [("reach", "target", None)]
    assert calls(task("push_to_zone")) == [("grasp", "target", None), ("place", "target", "zone")]
    assert calls(task("open_drawer")) == [("pull_joint", "drawer", None)]
    assert calls(task("pick_and_place")) == [("grasp", "target", None), ("place", "target", "stand")]


def test_supports_are_set_before_what_stands_on_them():
    tower = AllOf(kind="all", parts=(on("other1", "target"), on("target", "stand")))
    assert [thing for _, thing, _ in calls(task("pick_and_place"), tower)] == ["target", "target", "other1", "other1"]


def doc(name, goal):
    """The calls for another goal, as data, in a task of configs/."""
    spec = task(name).model_dump(mode="json") | {"goal": goal, "stages": [], "family": "other"}
    return calls(read_spec(spec))


INSIDE = {"kind": "inside", "object": "target", "container": "box"}
SHUT = {"kind": "joint_fraction", "object": "box", "at_most": 0.1}
UP = {"kind": "height_above", "object": "target", "above_m": 0.1}
PUT = [("pull_joint", "box", None), ("grasp", "target", None), ("place", "target", "box")]
LIFT = [("grasp", "target", None), ("lift", "target", None)]


@pytest.mark.parametrize(
    ("goal", "wanted"),
    [
        (INSIDE, PUT),
        ({"kind": "all", "parts": [SHUT, INSIDE]}, [*PUT, ("pull_joint", "box", None)]),  # shut it last
        ({"kind": "all", "parts": [UP, INSIDE]}, [*PUT, *LIFT]),  # stay there at the end
        (
            {
                "kind": "any",
                "parts": [{"kind": "not", "part": {"kind": "upright", "object": "target", "within_rad": 0.2}}, UP],
            },
            LIFT,
        ),
        ({"kind": "at_least", "count": 1, "parts": [UP, INSIDE]}, PUT),  # what the hand need not keep up
        ({"kind": "hold_for", "part": UP, "seconds": 1.0}, LIFT),
        ({"kind": "not", "part": SHUT}, [("pull_joint", "box", None)]),
        ({"kind": "not", "part": INSIDE}, [("grasp", "target", None), ("place", "target", None)]),
    ],
)
def test_combinators_and_order(goal, wanted):
    assert doc("put_block_in_lidded_box", goal) == wanted


def test_stages_come_one_after_the_other():
    names = [skill for skill, _, _ in calls(task("put_block_in_lidded_box"))]
    assert names == ["pull_joint", "pull_joint", "grasp", "place", "pull_joint", "grasp", "place", "pull_joint"]


@pytest.mark.parametrize(
    ("goal", "message"),
    [
        ({"kind": "upright", "object": "target", "within_rad": 0.2}, "no skill brings about 'upright' by itself"),
        (
            {"kind": "not", "part": {"kind": "aligned_with", "object": "target", "target": "box", "within_rad": 0.1}},
            "opposite of 'aligned_with'",
        ),
    ],
)
def test_what_cannot_be_brought_about_is_named(goal, message):
    with pytest.raises(ValueError, match=message):
        doc("put_block_in_lidded_box", goal)


def test_a_hollow_under_a_roof_is_out_of_reach():
    spec = task("open_microwave").model_dump(mode="json")
    spec["objects"].append(task("stack_two").model_dump(mode="json")["objects"][1])
    goal = {"kind": "inside", "object": "target", "container": "oven"}
    with pytest.raises(ValueError, match="comes from above cannot put 'target' inside 'oven'"):
        calls(read_spec(spec | {"goal": goal}))


def test_a_statement_that_no_skill_brings_about_is_named(monkeypatch):
    monkeypatch.delitem(planning.PLANNERS, "on_top")
    with pytest.raises(ValueError, match="pick_and_place: no skill brings about 'on_top'; there are plans for"):
        plan(task("pick_and_place"))
