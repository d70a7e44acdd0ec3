"""Plans: from a goal to skills, in an order in which nothing undoes what was done; what cannot be planned is named."""

import pytest
from simulation import task

from sim_finetune import plan as planning
from sim_finetune.plan import plan
from sim_finetune.predicates import AllOf, OnTop


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


def test_a_statement_that_no_skill_brings_about_is_named(monkeypatch):
    monkeypatch.delitem(planning.PLANNERS, "on_top")
    with pytest.raises(ValueError, match="pick_and_place: no skill brings about 'on_top'; there are plans for"):
        plan(task("pick_and_place"))
