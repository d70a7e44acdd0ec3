"""Drawn values become literals, by the seed alone; what is malformed is named with its path."""

import json

import numpy as np
import pytest
from small_tasks import thing

from sim_finetune.spec import read_spec
from sim_finetune.values import has_values, resolve


def drawn(document, seed=0):
    return resolve(document, np.random.default_rng(seed))


def family():
    """Blocks of one random size, the second twice as high, its colour one of two."""
    half = {"uniform": [0.015, 0.02]}
    low = thing("low", half_extents_m=[half, {"ref": "low.half_extents_m.0"}, {"ref": "low.half_extents_m.1"}])
    high = thing("high", colour={"choice": ["blue", "green"]})
    high["half_extents_m"] = [{"ref": "low.half_extents_m.0"}] * 2 + [{"ref": "low.half_extents_m.2", "times": 2}]
    goal = {"kind": "tool_near", "object": "high", "above_m": 0.02, "within_m": 0.03}
    basics = {"version": 1, "name": "family", "family": "family", "hold_s": 0, "clearance_m": {"choice": [0.01]}}
    return {**basics, "objects": [low, high], "goal": goal, "instructions": ["reach the {high}"]}


def test_a_family_gives_a_literal_task_for_each_seed():
    specs = [read_spec(family(), seed=seed) for seed in range(12)]
    assert len({spec.hash for spec in specs}) == 12
    assert {spec.object("high").colour for spec in specs} == {"blue", "green"}
    for spec in specs:
        low, high = spec.object("low").half_extents_m, spec.object("high").half_extents_m
        assert 0.015 <= low[0] <= 0.02 and low == (low[0],) * 3
        assert high == (low[0], low[0], pytest.approx(2 * low[0], abs=1e-6))
        assert read_spec(spec.model_dump_json()) == spec


def test_text_and_key_order_do_not_matter():
    reordered = dict(reversed(family().items()))
    assert read_spec(json.dumps(reordered), seed=5) == read_spec(family(), seed=5)
    assert read_spec(family(), seed=5) != read_spec(family(), seed=6)


def test_a_family_without_a_seed_is_refused_and_a_literal_task_ignores_it():
    with pytest.raises(ValueError, match="values to draw; a seed makes it one"):
        read_spec(family())
    literal = read_spec(family(), seed=1)
    assert read_spec(literal.model_dump(mode="json"), seed=9) == literal


def test_literals_stay_as_they_are():
    document = {"a": [1, "x", None, True, {"b": 2.5}]}
    assert drawn(document) == document and not has_values(document)


def test_references_follow_references_and_scale():
    assert drawn({"a": 2, "b": {"ref": "a", "times": 3, "plus": 1}, "c": {"ref": "b"}})["c"] == 7
    assert drawn({"a": {"choice": [{"uniform": [4, 4]}]}, "b": {"ref": "a"}}) == {"a": 4, "b": 4}
    assert drawn({"a": [1, 2], "b": {"ref": "a"}})["b"] == [1, 2]


deep: list = []
for _ in range(40):
    deep = [deep]
LAUGHS = {"a": [{"ref": "b"}, {"ref": "b"}], "b": [{"ref": "c"}, {"ref": "c"}], "c": [1]}
FAULTS = [
    ({"a": {"uniform": [2, 1]}}, r"a: uniform \[2, 1\] must be \[low, high\]"),
    ({"a": [{"uniform": [1]}]}, r"a\.0: .* is no value; a value is {uniform: \[low, high\]}"),
    ({"a": {"uniform": [0, 10**400]}}, "is no value"),
    ({"a": {"uniform": [float("nan"), 1]}}, "is no value"),
    ({"a": {"choice": []}}, "is no value"),
    ({"a": {"choice": [1], "ref": "a"}}, "is no value"),
    ({"a": {"ref": "b.c"}, "b": {}}, r"'b\.c' leads nowhere; objects are \[\]"),
    ({"a": {"ref": "b.9"}, "b": [1]}, "leads nowhere"),
    ({"a": {"ref": 3}}, "is no value"),
    ({"a": {"ref": "b"}, "b": {"ref": "a"}}, "round in a circle"),
    ({"a": {"ref": "a"}}, "round in a circle"),
    ({"a": {"ref": "b", "times": 2}, "b": "x"}, "only numbers can be multiplied"),
    ({"a": {"ref": "b"}, "b": {"c": 1}}, "must lead to a number"),
    (LAUGHS, "must lead to a number"),
    ({"a": deep}, "nested more than 32 deep"),
    ({"a": [{"uniform": [0, 1]}] * 1001}, "more than 1000 values"),
]


@pytest.mark.parametrize(("document", "message"), FAULTS, ids=range(len(FAULTS)))
def test_a_fault_is_named_in_one_line(document, message):
    with pytest.raises(ValueError, match=message) as caught:
        drawn(document)
    assert "\n" not in str(caught.value)
