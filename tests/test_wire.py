"""The wire form: what it says becomes a task, what a task says becomes its nearest wire form, and lies are named."""

import json

import numpy as np
import pytest
import yaml
from pydantic import TypeAdapter
from simulation import TASKS, task

from lapa.doors import configs_dir
from sim_finetune.catalogue import read_catalogue
from sim_finetune.objects import AnyObject
from sim_finetune.rewire import to_wire
from sim_finetune.spec import read_spec
from sim_finetune.statements import MOST_NODES, flatten, shapes, unflatten
from sim_finetune.wire import choices, from_wire, parse, wire_schema

TABLE = yaml.safe_load((configs_dir() / "catalogue" / "default.yaml").read_text())
CATALOGUE = read_catalogue(TABLE)


def put_on() -> dict:
    """The wire form of "put the red block on the blue stand"."""
    look = {"size": "medium", "place": "anywhere", "state": "usual"}
    return {
        "name": "put_on",
        "objects": [
            {"name": "item1", "kind": "block", "colour": "red", **look},
            {"name": "item2", "kind": "stand", "colour": "blue", **look},
        ],
        "statements": [{"kind": "on_top", "object": "item1", "support": "item2", "within_m": 0.04}],
        "stages": [],
        "goal": [0],
        "instructions": ["put the {item1} on the {item2}"],
        "missing_primitives": [],
    }


@pytest.mark.parametrize("stray", [{"parts": ["x"]}, {"part": "x"}, {"parts": 3}, {"parts": [{}]}])
def test_parts_of_a_statement_that_has_none_are_left_to_the_schema(stray):
    wire = put_on()
    wire["statements"][0] |= stray
    document = from_wire(wire, CATALOGUE)
    assert document["family"] == "on_top"
    with pytest.raises(ValueError, match=f"goal.on_top.{next(iter(stray))}: Extra inputs"):
        read_spec(document)


def changed(**fields) -> dict:
    return put_on() | fields


@pytest.mark.parametrize("name", TASKS)
def test_a_task_goes_to_the_wire_and_back_to_the_same_wire(name):
    wire = to_wire(task(name), CATALOGUE)
    spec = read_spec(from_wire(wire, CATALOGUE))
    assert to_wire(spec, CATALOGUE) == wire
    assert spec.goal.kind == task(name).goal.kind and len(spec.objects) == len(task(name).objects)


def test_a_wire_task_becomes_a_spec_with_the_same_words():
    spec = read_spec(from_wire(parse("```json\n" + json.dumps(put_on()) + "\n```", max_bytes=9999), CATALOGUE))
    assert spec.instruction(0) == "put the red block on the blue stand" and to_wire(spec, CATALOGUE) == put_on()


@pytest.mark.parametrize("size", TABLE["sizes"])
@pytest.mark.parametrize("kind", TABLE["kinds"])
def test_the_catalogue_s_objects_are_valid_at_every_size(kind, size):
    TypeAdapter(AnyObject).validate_python(CATALOGUE.thing("item1", kind, colour="red", size=size, area=""))


def test_the_schema_is_flat_closed_and_offers_only_numbers_that_a_spec_takes():
    schema = wire_schema(CATALOGUE)
    text = json.dumps(schema)
    assert "$ref" not in text and set(schema["required"]) == set(schema["properties"]) == set(put_on())
    rows = {row["properties"]["kind"]["const"]: row for row in schema["properties"]["statements"]["items"]["anyOf"]}
    assert set(rows) == set(shapes())
    for kind, row in rows.items():
        assert row["required"] == list(row["properties"]) and row["additionalProperties"] is False
        for field, form in shapes()[kind].items():
            numbers = [] if form.what != "choice" or form.values else choices(kind, field, form, CATALOGUE)
            assert all(form.bounds[0] <= number <= form.bounds[1] for number in numbers if number is not None), field


def test_combinators_are_links_and_come_back_as_a_tree():
    near = {"kind": "tool_near", "object": "a", "above_m": 0.0, "within_m": 0.02}
    tree = {"kind": "all", "parts": [near, {"kind": "all", "parts": [near]}]}
    rows, (goal,) = flatten([tree])
    assert rows == [near, {"kind": "all", "parts": [0]}] and goal == [0, 1]
    assert unflatten(rows, goal) == tree


def test_a_goal_that_multiplies_when_written_out_is_refused_before_it_is_built():
    rows = [{"kind": "released", "object": "item1", "clear_m": 0.04}]
    rows += [{"kind": "all", "parts": [i] * 8} for i in range(11)]  # 8¹¹ parts
    with pytest.raises(ValueError, match=rf"at most {MOST_NODES}"):
        unflatten(rows, [11])


@pytest.mark.parametrize("goal", [[], [1], [-1], ["0"], [True], [None], [[0]], 0, None, {"0": 0}, [0.0], [10**400]])
def test_a_goal_must_be_numbers_of_statements(goal):
    with pytest.raises(ValueError, match="goal"):
        from_wire(changed(goal=goal), CATALOGUE)


def test_a_statement_may_not_be_part_of_itself_or_of_an_earlier_one():
    later = [{"kind": "all", "parts": [1]}, put_on()["statements"][0]]
    with pytest.raises(ValueError, match=r"statements\.0: 1 is no earlier statement"):
        from_wire(changed(statements=later), CATALOGUE)


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("objects", [{**put_on()["objects"][0], "kind": "../../etc"}], "no kind '../../etc'"),
        ("objects", [{**put_on()["objects"][0], "place": "inside ../x"}], "no place 'inside ../x'"),
        ("objects", [{**put_on()["objects"][0], "size": ["large"]}], "no size"),
        ("objects", [{**put_on()["objects"][0], "place": None}], "no place 'None'"),
        ("objects", [{**put_on()["objects"][0], "state": "melted"}], "no state 'melted'; there are"),
        ("objects", "a block", "objects: a list"),
        ("objects", put_on()["objects"] * 5, "objects: a list of at most 8"),
        ("statements", [[]], "statements: a list"),
        ("statements", [{"kind": ["all"]}], r"statements\.0: its kind must be one of"),
        ("stages", [{}], "goal"),
    ],
)
def test_what_has_no_meaning_is_named(field, value, fault):
    with pytest.raises(ValueError, match=fault):
        from_wire(changed(**{field: value}), CATALOGUE)


@pytest.mark.parametrize(
    "text", ["", "no task today", '{"name": "put_', "}{", "[1]", '{"a":' * 3000 + "1" + "}" * 3000]
)
def test_a_reply_without_a_task_is_refused(text):
    with pytest.raises(ValueError, match=r"reply|Expecting|lacks|Unterminated"):
        from_wire(parse(text, max_bytes=20_000), CATALOGUE)
    with pytest.raises(ValueError, match="longer than 10 bytes"):
        parse("{" + 20 * " " + "}", max_bytes=10)


def test_a_reply_nested_deeper_than_any_task_is_refused():
    deep = changed(name=json.loads("[" * 40 + "]" * 40))
    with pytest.raises(ValueError, match="nested too deeply"):
        parse(json.dumps(deep), max_bytes=20_000)


def test_a_catalogue_with_an_unknown_kind_or_area_is_refused():
    with pytest.raises(ValueError, match="kind 'teapot'"):
        read_catalogue({**TABLE, "kinds": {"teapot": {}}})
    with pytest.raises(ValueError, match="no area of block 'moon'"):
        read_catalogue({**TABLE, "kinds": {"block": {**TABLE["kinds"]["block"], "area": "moon"}}})


JUNK = [None, True, -1, 0.5, 10**400, float("nan"), "", "../..", "item9", "\ud800", "{item1}"]
JUNK += [[], {}, [[]], {"kind": "all"}, [0] * 50]


def spoiled(node, rng):
    """The same document with one part of it replaced, left out or doubled."""
    if not isinstance(node, (dict, list)) or not node or rng.random() < 0.2:
        return JUNK[rng.integers(len(JUNK))]
    if isinstance(node, list):
        place = int(rng.integers(len(node)))
        return [*node[:place], spoiled(node[place], rng), *node[place + int(rng.random() < 0.8) :]]
    key = str(rng.choice(list(node)))
    kept = {name: value for name, value in node.items() if name != key}
    return kept if rng.random() < 0.2 else kept | {key: spoiled(node[key], rng)}


def test_two_thousand_spoiled_replies_end_in_one_line_or_in_a_document():
    wires = [put_on(), *(to_wire(task(name), CATALOGUE) for name in TASKS)]
    rng, faults = np.random.default_rng(0), 0
    for i in range(2000):
        wire = spoiled(wires[i % len(wires)], rng)
        try:
            json.dumps(from_wire(wire if isinstance(wire, dict) else {}, CATALOGUE))
        except ValueError as error:
            faults += 1
            assert "\n" not in str(error) and len(str(error)) < 1000
    assert 200 < faults < 2000
